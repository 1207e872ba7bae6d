"""Objects: text inline, pictures as references to files; one picture is damaged at first."""

from mixpeek.models import (
    AggregationOperation,
    BulkSoftDeleteRequest,
    CreateBlobRequest,
    CreateObjectRequest,
    CreateObjectsBatchRequest,
    Data,
    GroupByField,
    ListObjectsRequest,
    ObjectAggregationRequest,
    PatchObjectRequest,
    SortOption,
    UpdateObjectRequest,
)

from .filters import condition, every
from .pictures import png

WORDS = {
    "Soup": "carrots leeks onions simmer slowly in a heavy pot with bay leaves and pepper",
    "Rain": "clouds gather over the harbour and the gulls fly inland before the storm breaks",
    "Lake": "a wooden boat drifts on the quiet lake at dawn while the mist lifts from water",
}


def html(title):
    words = WORDS.get(title, "nothing much to read here but a few plain words about it")
    return (
        f'<html lang="en"><head><title>{title}</title></head><body><h1>{title}</h1>'
        f"<p>{words}.</p><p>{words}, again.</p></body></html>"
    )


def page(title, year, picture=None):
    blobs = [
        CreateBlobRequest(property="title", type="string", data=Data(title)),
        CreateBlobRequest(property="year", type="integer", data=Data(year)),
        CreateBlobRequest(property="page", type="text", data=Data(html(title))),
    ]
    if picture:
        blobs.append(CreateBlobRequest(property="picture", type="image", data=Data(picture)))
    return CreateObjectRequest(blobs=blobs)


def properties(found):
    return sorted(blob.var_property for blob in found.blobs or [])


def create(story):
    made = story.made
    files = story.folder / "pictures"
    files.mkdir(exist_ok=True)
    (files / "lake.png").write_bytes(png(64, 48, (40, 90, 200)))
    (files / "rain.png").write_bytes(b"\x89PNG\r\n\x1a\n but no picture at all")
    made.files = files
    uri = {name: (files / f"{name}.png").resolve().as_uri() for name in ("lake", "rain")}
    odd = CreateBlobRequest(property="colour", type="string", data=Data("red"))
    bucket = made.bucket.bucket_id
    with story.check("create_object_buckets") as call:
        soup = call(bucket, page("Soup", 1901))
        call.holds("object_id has its prefix", soup.object_id.startswith("obj_"))
        call.same("bucket_id", soup.bucket_id, bucket)
        call.same("properties", properties(soup), ["page", "title", "year"])
        made.soup = soup.object_id
        call.refused(409, "library", page("Soup", 1902))
        call.refused(422, bucket, CreateObjectRequest(blobs=[odd]))
        no_title = CreateBlobRequest(property="year", type="integer", data=Data(1))
        call.refused(422, bucket, CreateObjectRequest(blobs=[no_title]))
        call.refused(404, "bkt_nothing", page("Soup", 1))
        call.refused(401, bucket, page("Bread", 1), stranger=True)
    with story.check("create_objects_batch_buckets") as call:
        wrong = CreateObjectRequest(blobs=[odd])
        lake, rain = page("Lake", 1902, uri["lake"]), page("Rain", 1902, uri["rain"])
        answer = call(bucket, CreateObjectsBatchRequest(objects=[lake, wrong, rain]))
        call.same("total_requested", answer.total_requested, 3)
        call.same("succeeded_count", answer.succeeded_count, 2)
        call.same("failed_count", answer.failed_count, 1)
        call.same("failed", [one.object_index for one in answer.failed], [1])
        call.same("indexes", [one.object_index for one in answer.succeeded], [0, 2])
        made.lake, made.rain = (one.object_id for one in answer.succeeded)
        call.refused(422, bucket, CreateObjectsBatchRequest(objects=[wrong]))
    with story.check("get_object_buckets") as call:
        found = call(bucket, made.lake, include_document_count=True)
        call.same("object_id", found.object_id, made.lake)
        call.same("properties", properties(found), ["page", "picture", "title", "year"])
        call.same("document_count", found.document_count, 0)
        call.refused(404, bucket, "obj_nothing")
        # An object of another bucket does not exist in this one.
        call.refused(404, "box", made.lake)
    with story.check("list_objects_get_buckets") as call:
        answer = call(bucket, include_total=True)
        ids = {made.soup, made.lake, made.rain}
        call.same("objects", {one.object_id for one in answer.results}, ids)
        call.same("total", answer.pagination.total, 3)
        first = call(bucket, limit=2)
        second = call(bucket, limit=2, cursor=first.pagination.next_cursor)
        both = [one.object_id for one in first.results + second.results]
        call.same("two pages", sorted(both), sorted(ids))
        call.same("objects of the other bucket", call("box").results, [])
    with story.check("list_objects_buckets") as call:
        by_age = SortOption(field="created_at", direction="asc")
        answer = call(bucket, list_objects_request=ListObjectsRequest(sort=by_age))
        call.same("the oldest is first", answer.results[0].object_id, made.soup)
        wanted = every(condition("object_id", "eq", made.rain))
        answer = call(bucket, list_objects_request=ListObjectsRequest(filters=wanted))
        call.same("filtered", [one.object_id for one in answer.results], [made.rain])
        wanted = every(condition("title", "in", ["Lake", "Soup"]), condition("year", "gte", 1902))
        answer = call(bucket, list_objects_request=ListObjectsRequest(filters=wanted))
        call.same("by its fields", [one.object_id for one in answer.results], [made.lake])
    with story.check("aggregate_objects_buckets") as call:
        request = ObjectAggregationRequest(
            group_by=[GroupByField(field="year")],
            aggregations=[
                AggregationOperation(function="count", alias="objects"),
                AggregationOperation(function="max", field="year", alias="latest"),
            ],
            sort_by="objects",
        )
        answer = call(bucket, request)
        call.same("total_groups", answer.total_groups, 2)
        groups = [(one.group["year"], one.metrics["objects"]) for one in answer.results]
        call.same("groups", groups, [(1902, 2), (1901, 1)])
        call.same("latest", answer.results[0].metrics["latest"], 1902)
    with story.beyond("counts of the bucket") as call:
        found = story.methods["get_bucket"](bucket)
        call.same("object_count", found.object_count, 3)
        call.holds("total_size_bytes", found.total_size_bytes > 0)
        stats = story.methods["get_namespace_stats"]("client-check")
        call.same("object_count of the namespace", stats.object_count, 3)


def change(story):
    made = story.made
    bucket = made.bucket.bucket_id
    with story.check("patch_object_buckets") as call:
        found = call(bucket, made.soup, PatchObjectRequest(key_prefix="kitchen"))
        call.same("key_prefix", found.key_prefix, "kitchen")
        call.same("properties stay", properties(found), ["page", "title", "year"])
        call.refused(404, bucket, "obj_nothing", PatchObjectRequest(key_prefix="a"))
    with story.check("update_object_buckets") as call:
        found = call(bucket, made.soup, UpdateObjectRequest(metadata={"year": 1910}))
        call.same("object_id", found.object_id, made.soup)
        call.same("key_prefix stays", found.key_prefix, "kitchen")
        wanted = ListObjectsRequest(filters=every(condition("year", "eq", 1910)))
        listed = story.methods["list_objects_buckets"](bucket, list_objects_request=wanted)
        call.same("by its new year", [one.object_id for one in listed.results], [made.soup])
        call.refused(404, bucket, "obj_nothing", UpdateObjectRequest(metadata={"year": 1}))
    with story.check("bulk_soft_delete_objects_buckets") as call:
        request = BulkSoftDeleteRequest(object_ids=[made.rain, "obj_nothing"], reason="a test")
        answer = call(bucket, request)
        call.same("requested", answer.requested, 2)
        call.same("soft_deleted", answer.soft_deleted, 1)
        left = story.methods["list_objects_get_buckets"](bucket)
        call.holds("it is hidden", made.rain not in [one.object_id for one in left.results])
    with story.check("delete_object_buckets") as call:
        call.same("answer", call(bucket, made.lake), None)
        call.refused(404, bucket, made.lake)
