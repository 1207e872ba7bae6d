#!/bin/sh
# Follows a batch by its events as the server sends them (SSE), and prints each. Ends with the batch.
# A connection that breaks is taken up again after the last event that came: Last-Event-ID.
# ./watch-events.sh BATCH_ID
set -eu

batch=$1
last=$(mktemp)
trap 'rm -f "$last"' EXIT

# Reads events; answers 10 for a batch that ended well, 11 for one that did not, 12 for no events
# at all, and 0 where the connection broke.
follow() {
    event=
    while IFS= read -r line; do
        case $line in
            "id: "*) printf '%s' "${line#id: }" >"$last" ;;
            "event: "*) event=${line#event: } ;;
            "data: "*)
                echo "$event ${line#data: }"
                # Nothing comes after the event `end`, which says how it ended.
                case "$event $line" in
                    end*COMPLETED*) return 10 ;;
                    end*) return 11 ;;
                esac
                ;;
            "{"*) echo "$line" >&2 && return 12 ;;
        esac
    done
}

while :; do
    outcome=0
    # A header without a value is one that curl does not send.
    curl -sSN "$MP_API_URL/v1/batches/$batch/events" \
        -H "Authorization: Bearer $MP_API_KEY" \
        -H "X-Namespace: $MP_NAMESPACE" \
        -H "Accept: text/event-stream" \
        -H "Last-Event-ID: $(cat "$last")" | follow || outcome=$?
    case $outcome in
        10) exit 0 ;;
        0) sleep 1 ;;
        *) exit 1 ;;
    esac
done
