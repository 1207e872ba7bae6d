curl -sS "$MP_API_URL/v1/buckets/<bucket_id>/batches/<batch_id>" \
  -H "Authorization: Bearer $MP_API_KEY" \
  -H "X-Namespace: $MP_NAMESPACE"
