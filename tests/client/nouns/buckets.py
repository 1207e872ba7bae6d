"""Buckets: a library of pages with pictures, and a small one to change."""

from mixpeek.models import (
    BucketCreateRequest,
    BucketPatchRequest,
    BucketSchemaFieldInput,
    BucketSchemaInput,
    BucketUpdateRequest,
    ListBucketsRequest,
    UniqueKeyConfig,
)


def schema(**fields):
    """Fields by name: a type, or a type and whether it is required."""
    properties = {}
    for name, kind in fields.items():
        kind, required = (kind, False) if isinstance(kind, str) else kind
        properties[name] = BucketSchemaFieldInput(type=kind, required=required)
    return BucketSchemaInput(properties=properties)


def create(story):
    made = story.made
    with story.check("create_bucket") as call:
        library = schema(title=("string", True), year="integer", page="text", picture="image")
        bucket = call(
            BucketCreateRequest(
                bucket_name="library",
                description="pages with pictures",
                bucket_schema=library,
                unique_key=UniqueKeyConfig(fields=["title"], default_policy="insert"),
                metadata={"owner": "check"},
            )
        )
        made.bucket = bucket
        call.same("bucket_name", bucket.bucket_name, "library")
        call.holds("bucket_id has its prefix", bucket.bucket_id.startswith("bkt_"))
        call.same("fields", sorted(bucket.bucket_schema.properties), sorted(library.properties))
        call.same("type of picture", bucket.bucket_schema.properties["picture"].type, "image")
        call.same("title is required", bucket.bucket_schema.properties["title"].required, True)
        call.same("unique key", bucket.unique_key.fields, ["title"])
        call.same("metadata", bucket.metadata, {"owner": "check"})
        call.same("object_count", bucket.object_count, 0)
        drawer = BucketCreateRequest(bucket_name="drawer", bucket_schema=schema(a="text"))
        made.drawer = call(drawer)
        same_name = BucketCreateRequest(bucket_name="library", bucket_schema=library)
        call.refused(409, same_name)
        call.refused(401, same_name, stranger=True)
        odd = BucketCreateRequest(
            bucket_name="odd",
            bucket_schema=library,
            unique_key=UniqueKeyConfig(fields=["nothing"]),
        )
        call.refused(422, odd)
    with story.check("get_bucket") as call:
        for identifier in (made.bucket.bucket_id, "library"):
            call.same("bucket_id", call(identifier).bucket_id, made.bucket.bucket_id)
        call.refused(404, "bkt_nothing")
    with story.check("list_buckets_get") as call:
        page = call()
        call.same("names", sorted(one.bucket_name for one in page.results), ["drawer", "library"])
        call.same("total_count", page.total_count, 2)
        call.same("found", [one.bucket_name for one in call(search="draw").results], ["drawer"])
    with story.check("list_buckets") as call:
        request = ListBucketsRequest(sort={"field": "bucket_name", "direction": "desc"})
        page = call(list_buckets_request=request)
        call.same("order", [one.bucket_name for one in page.results], ["library", "drawer"])
        page = call(limit=1, list_buckets_request=request)
        call.same("pages", page.pagination.total_pages, 2)
        page = call(limit=1, cursor=page.pagination.next_cursor, list_buckets_request=request)
        call.same("second page", [one.bucket_name for one in page.results], ["drawer"])
    with story.check("patch_bucket") as call:
        wider = schema(a="text", b="integer")
        found = call("drawer", BucketPatchRequest(description="small", bucket_schema=wider))
        call.same("description", found.description, "small")
        call.same("fields", sorted(found.bucket_schema.properties), ["a", "b"])
        call.refused(404, "nothing", BucketPatchRequest(description="small"))
    with story.check("update_bucket") as call:
        found = call(made.drawer.bucket_id, BucketUpdateRequest(bucket_name="box"))
        call.same("bucket_name", found.bucket_name, "box")
        call.same("description", found.description, "small")
        call.refused(409, "box", BucketUpdateRequest(bucket_name="library"))


def delete(story):
    with story.check("delete_bucket") as call:
        call.holds("success", call("box")["success"])
        call.refused(404, "box")
        call(story.made.bucket.bucket_id)
        call.refused(404, "library")
