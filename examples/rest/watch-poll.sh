#!/bin/sh
# Follows a batch by asking again and again, and prints every new status message. Ends with it.
# ./watch-poll.sh BATCH_ID [SECONDS between two questions]
set -eu

batch=$1
pause=${2:-1}
said=

field() {
    printf '%s' "$answer" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

ask() {
    answer=$(curl -sS --fail-with-body "$MP_API_URL/v1/$1" \
        -H "Authorization: Bearer $MP_API_KEY" \
        -H "X-Namespace: $MP_NAMESPACE")
}

ask "batches/$batch"
task=$(field task_id)
while :; do
    # A batch has a status, and so have its tiers: the batch's own is asked of its task. It is asked
    # first, so that the message after the end is the last one.
    ask "tasks/$task"
    status=$(field status)
    ask "batches/$batch"
    message=$(field status_message)
    if [ "$message" != "$said" ]; then
        echo "$message"
        said=$message
    fi
    case $status in
        COMPLETED | COMPLETED_WITH_ERRORS) exit 0 ;;
        FAILED | CANCELED) exit 1 ;;
    esac
    sleep "$pause"
done
