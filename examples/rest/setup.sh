#!/bin/sh
# Makes what the guide takes for granted: a bucket of products with three objects and a collection
# that makes them searchable. Prints where they are, for the shell: eval "$(./setup.sh)".
set -eu

post() {
    curl -sS --fail-with-body -X POST "$MP_API_URL/v1/$1" \
        -H "Authorization: Bearer $MP_API_KEY" \
        -H "X-Namespace: $MP_NAMESPACE" \
        -H "Content-Type: application/json" \
        -d "$2"
}

# The value of a field of an answer that has it once.
field() {
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

object() {
    post "buckets/$bucket/objects" "{
      \"blobs\": [
        { \"property\": \"title\", \"type\": \"string\", \"data\": \"$1\" },
        { \"property\": \"text\", \"type\": \"text\", \"data\": \"$2\" }
      ]
    }" | field object_id
}

post namespaces "{ \"namespace_name\": \"$MP_NAMESPACE\" }" >/dev/null
bucket=$(post buckets '{
  "bucket_name": "products",
  "bucket_schema": { "properties": {
    "title": { "type": "string", "required": true },
    "text": { "type": "text" }
  } }
}' | field bucket_id)
post collections "{
  \"collection_name\": \"descriptions\",
  \"source\": { \"type\": \"bucket\", \"bucket_ids\": [\"$bucket\"] },
  \"feature_extractor\": {
    \"feature_extractor_name\": \"text-embed\",
    \"version\": \"1.0.0\",
    \"input_mappings\": { \"text\": \"text\" },
    \"field_passthrough\": [{ \"source_path\": \"title\" }]
  }
}" >/dev/null

echo "export BUCKET_ID=$bucket"
echo "export OBJ_ABC=$(object Kettle 'A kettle of brushed steel that whistles when the water boils')"
echo "export OBJ_DEF=$(object Lamp 'A reading lamp with a warm light and a long bent neck')"
echo "export OBJ_XYZ=$(object Tent 'A tent for two that stands in any wind and weighs little')"
