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

while :; do
    answer=$(curl -sS --fail-with-body "$MP_API_URL/v1/batches/$batch" \
        -H "Authorization: Bearer $MP_API_KEY" \
        -H "X-Namespace: $MP_NAMESPACE")
    message=$(field status_message)
    if [ "$message" != "$said" ]; then
        echo "$message"
        said=$message
    fi
    # A batch has a status, and so have its tiers: the batch's own is asked of its task.
    answer=$(curl -sS --fail-with-body "$MP_API_URL/v1/tasks/$(field task_id)" \
        -H "Authorization: Bearer $MP_API_KEY" \
        -H "X-Namespace: $MP_NAMESPACE")
    case $(field status) in
        COMPLETED | COMPLETED_WITH_ERRORS) exit 0 ;;
        FAILED | CANCELED) exit 1 ;;
    esac
    sleep "$pause"
done
