#!/bin/sh
# Runs one of the guide's curl lines. They stand in guide/ as they are printed there; this puts the
# ids in where the guide has <bucket_id>, <batch_id>, <task_id> and obj_…: ./guide.sh create
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck disable=SC1090
sed -e "s/<bucket_id>/${BUCKET_ID:-}/g" \
    -e "s/<batch_id>/${BATCH_ID:-}/g" \
    -e "s/<task_id>/${TASK_ID:-}/g" \
    -e "s/obj_abc/${OBJ_ABC:-}/g" \
    -e "s/obj_def/${OBJ_DEF:-}/g" \
    -e "s/obj_xyz/${OBJ_XYZ:-}/g" \
    "$here/guide/$1.sh" | sh -eu
