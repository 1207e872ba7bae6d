"""Batches: made, submitted, watched, repaired, canceled and deleted."""

from mixpeek.models import (
    AddObjectsToBatchRequest,
    BatchMetadata,
    BodyHealTierV1BucketsBucketIdentifierBatchesBatchIdTiersTierNumHealPost as HealTier,
    BucketCreateRequest,
    BulkSubmitBatchesRequest,
    CreateBatchRequest,
    CreateBlobRequest,
    CreateObjectRequest,
    CreateObjectsBatchRequest,
    Data,
    ListBatchesRequest,
    PatchBatchRequest,
    RetryBatchRequest,
    SourceConfigInput,
    SubmitBatchRequest,
)

from . import tasks
from .buckets import schema
from .collections import request
from .pictures import png
from .tasks import ended

SUBMITTED = ("QUEUED", "PROCESSING", "COMPLETED", "COMPLETED_WITH_ERRORS")
TEXTS = 100
WORDS_OF_A_TEXT = 2_000


def wait(story, batch_id):
    """The batch when it has ended."""

    def probe():
        batch = story.methods["get_batch_by_id_batches"](batch_id)
        return batch if ended(batch) else None

    return story.wait(f"the end of {batch_id}", probe)


def first_batch(story):
    made = story.made
    bucket = made.bucket.bucket_id
    with story.check("create_batch_buckets_batches") as call:
        ids = [made.soup, made.rain]
        batch = call(bucket, CreateBatchRequest(object_ids=ids, batch_name="first"))
        call.holds("batch_id has its prefix", batch.batch_id.startswith("btch_"))
        call.same("status", batch.status, "DRAFT")
        call.same("batch_name", batch.batch_name, "first")
        call.same("bucket_id", batch.bucket_id, bucket)
        call.same("object_ids", batch.object_ids, ids)
        made.batch = batch.batch_id
        empty = call(bucket, CreateBatchRequest(batch_name="empty"))
        call.same("an empty batch", empty.object_ids or [], [])
        made.empty = empty.batch_id
        call.refused(404, bucket, CreateBatchRequest(object_ids=["obj_nothing"]))
        call.refused(404, "bkt_nothing", CreateBatchRequest(object_ids=ids))
        call.refused(401, bucket, CreateBatchRequest(object_ids=ids), stranger=True)
    with story.check("add_objects_to_batch_buckets_batches") as call:
        batch = call(bucket, made.batch, AddObjectsToBatchRequest(object_ids=[made.lake]))
        call.same("object_ids", batch.object_ids, [made.soup, made.rain, made.lake])
        again = call(bucket, made.batch, AddObjectsToBatchRequest(object_ids=[made.lake]))
        call.same("none is in it twice", again.object_ids, batch.object_ids)
        call.refused(404, bucket, "btch_nothing", AddObjectsToBatchRequest(object_ids=[made.lake]))
    with story.check("patch_batch_buckets_batches") as call:
        metadata = BatchMetadata(campaign_id="autumn", tags=["a", "b"])
        batch = call(bucket, made.batch, PatchBatchRequest(metadata=metadata))
        call.same("campaign_id", batch.metadata.campaign_id, "autumn")
        call.same("tags", batch.metadata.tags, ["a", "b"])
        call.same("status", batch.status, "DRAFT")
    with story.check("estimate_batch_cost_buckets_batches") as call:
        estimate = call(bucket, made.batch)
        call.same("batch_id", estimate.batch_id, made.batch)
        call.same("object_count", estimate.object_count, 3)
        call.same("credits", estimate.estimated_credits, 0)
        call.holds("dollars", not estimate.estimated_usd)
    with story.check("submit_batch_buckets_batches") as call:
        task = call(
            *(bucket, made.batch),
            submit_batch_request=SubmitBatchRequest(include_processing_history=True),
        )
        call.holds("task_id has its prefix", task.task_id.startswith("task_"))
        call.holds("status", task.status.value in SUBMITTED, task.status)
        made.task = task.task_id
        # Whoever lost the answer asks again.
        call.same("the same task", call(bucket, made.batch).task_id, made.task)
        call.refused(404, bucket, "btch_nothing")
        call.refused(422, bucket, made.empty)
    with story.check("get_batch_buckets_batches") as call:
        wait(story, made.batch)
        batch = call(bucket, made.batch)
        call.same("status", batch.status, "COMPLETED_WITH_ERRORS")
        call.same("task_id", batch.task_id, made.task)
        progress = batch.progress
        counts = (progress.processed, progress.total, progress.percent)
        call.same("progress", counts, (3, 3, 100))
        call.same("eta_seconds", progress.eta_seconds or 0, 0)
        call.same("errors", progress.errors, 1)
        call.holds("status_message", bool(batch.status_message))
        call.holds("health", batch.health in ("healthy", "degraded", "unhealthy"), batch.health)
        call.same("failed_object_count", batch.failed_object_count, 1)
        ids = {
            name: getattr(made, name).collection_id
            for name in ("pages", "pictures", "chunks", "passages")
        }
        tiers = [set(tier) for tier in batch.dag_tiers]
        expected = [{ids["pages"], ids["pictures"]}, {ids["chunks"]}, {ids["passages"]}]
        call.same("dag_tiers", tiers, expected)
        call.same("total_tiers", batch.total_tiers, 3)
        call.same("tiers", [tier.tier_num for tier in batch.tier_tasks], [0, 1, 2])
        first, second, third = batch.tier_tasks
        call.same("jobs of tier 0", len(first.extractor_jobs), 2)
        # Two collections read three objects each; one object has no picture.
        call.same("fetched", first.source_documents_fetched, 6)
        call.same("missing", first.documents_missing_input_fields, 1)
        call.same("submitted", first.documents_submitted_to_engine, 5)
        call.same("written by tier 0", first.documents_written, 4)
        call.same("a chunk is a passage", third.documents_written, second.documents_written)
        call.holds("there are several chunks", second.documents_written >= 6)
        call.same("failed in tier 0", first.audit.failed if first.audit else 1, 1)
        call.same("cost", batch.cost.credits_consumed if batch.cost else 0, 0)
        call.refused(404, bucket, "btch_nothing")
        # A batch of another bucket does not exist in this one.
        call.refused(404, "box", made.batch)
    with story.check("get_batch_by_id_batches") as call:
        batch = call(made.batch)
        call.same("batch_id", batch.batch_id, made.batch)
        call.same("bucket_id", batch.bucket_id, bucket)
        call.refused(404, "btch_nothing")
    with story.check("list_batches_buckets") as call:
        answer = call(bucket)
        ids = {one.batch_id for one in answer.results}
        call.same("batches", ids, {made.batch, made.empty})
        call.same("total_count", answer.total_count, 2)
        drafts = call(bucket, list_batches_request=ListBatchesRequest(status="DRAFT"))
        call.same("drafts", [one.batch_id for one in drafts.results], [made.empty])
        call.same("of another bucket", call("box").results, [])
    with story.check("list_all_batches") as call:
        answer = call(list_batches_request=ListBatchesRequest(bucket_id=bucket, limit=1))
        call.same("results of a page of one", len(answer.results), 1)
        call.same("total_count", answer.total_count, 2)
    with story.check("get_queue_status_batches") as call:
        answer = call()
        call.holds("it says something", isinstance(answer, dict) and bool(answer), answer)
        call.holds("nothing that ended waits", made.batch not in str(answer), answer)
    tasks.read(story, "COMPLETED_WITH_ERRORS")
    with story.beyond("health of a batch") as call:
        path = f"/v1/buckets/{bucket}/batches/{made.batch}/health"
        status, answer = story.server.request("GET", path, None, story.key, "client-check")
        call.same("the status", status, 200)
        call.holds("health", answer.get("health") in ("healthy", "degraded", "unhealthy"), answer)
        status, _ = story.server.request("GET", path, None, story.key, "stranger")
        call.same("another namespace sees nothing", status, 404)


def repair(story):
    made = story.made
    bucket = made.bucket.bucket_id
    with story.check("diagnose_batch_buckets_batches") as call:
        answer = call(bucket, made.batch)
        call.same("batch_id", answer.get("batch_id"), made.batch)
        call.same("status", answer.get("status"), "COMPLETED_WITH_ERRORS")
        call.holds("it says what is wrong", "1 of" in str(answer.get("findings")), answer)
        call.holds("it says what to do", bool(answer.get("recommendations")), answer)
        call.refused(404, bucket, "btch_nothing")
    with story.check("get_batch_audit_buckets_batches") as call:
        answer = call(bucket, made.batch)
        call.same("batch_id", answer.get("batch_id"), made.batch)
        call.same("has_lost_objects", answer.get("has_lost_objects"), False)
        call.same("balanced", answer.get("balanced"), True)
        tiers = [tier["audit"] for tier in answer.get("tiers", [])]
        call.same("tiers", [tier["tier_num"] for tier in tiers], [0, 1, 2])
        call.same("tiers that balance", {tier["balanced"] for tier in tiers}, {True})
        call.same("failed", [tier["failed"] for tier in tiers], [1, 0, 0])
    with story.check("get_batch_logs_buckets_batches") as call:
        answer = call(bucket, made.batch)
        call.same("batch_id", answer.get("batch_id"), made.batch)
        one = call(bucket, made.batch, tier_num=1)
        call.holds("a tier has no more than all", len(str(one)) <= len(str(answer)))
        call.refused(404, bucket, "btch_nothing")
    with story.check("get_failed_documents_buckets_batches_batch") as call:
        answer = call(bucket, made.batch)
        call.holds("it names what failed", made.rain in str(answer), answer)
        call.holds("it says why", "undecodable" in str(answer), answer)
        chunks = call(bucket, made.batch, tier_num=1)
        call.holds("nothing failed in tier 1", made.rain not in str(chunks), chunks)
        pages = call(bucket, made.batch, collection_id=made.pages.collection_id)
        call.holds("no page failed", made.rain not in str(pages), pages)
    with story.check("heal_tier_buckets_batches_batch_id_num") as call:
        answer = call(bucket, made.batch, 0, HealTier(action="detect_stuck"))
        call.same("batch_id", answer.get("batch_id"), made.batch)
        call.refused(422, bucket, made.batch, 0, HealTier(action="pray"))
        call.refused(404, bucket, made.batch, 9, HealTier(action="detect_stuck"))
    with story.check("retry_tier_buckets_batches_batch_id_num") as call:
        answer = call(bucket, made.batch, 0)
        call.same("batch_id", answer.get("batch_id"), made.batch)
        status = wait(story, made.batch).status
        call.same("status of what can not be better", status, "COMPLETED_WITH_ERRORS")
        call.refused(404, bucket, made.batch, 9)
    with story.check("retry_batch_buckets_batches") as call:
        (made.files / "rain.png").write_bytes(png(64, 48, (90, 90, 100)))
        answer = call(bucket, made.batch, RetryBatchRequest(retry_mode="all", max_retry_count=2))
        call.same("batch_id", answer.get("batch_id"), made.batch)
        batch = wait(story, made.batch)
        call.same("status", batch.status, "COMPLETED")
        call.same("failed_object_count", batch.failed_object_count, 0)
        call.holds("retry_count", batch.retry_count >= 1, batch.retry_count)
        pictures = story.methods["count_documents"]("pictures").count
        call.same("pictures", pictures, 2)
        call.refused(404, bucket, "btch_nothing", RetryBatchRequest())
    with story.check("resubmit_batch_buckets_batches") as call:
        before = story.methods["count_documents"]("passages").count
        answer = call(bucket, made.batch, from_tier=1)
        again = answer.get("batch_id")
        call.holds("batch_id", str(again).startswith("btch_"), answer)
        batch = wait(story, again)
        call.same("status", batch.status, "COMPLETED")
        after = story.methods["count_documents"]("passages").count
        call.same("no document is doubled", after, before)
        call.refused(404, bucket, "btch_nothing")


def many(story):
    made = story.made
    bucket = made.bucket.bucket_id
    with story.check("submit_all_drafts_buckets_batches") as call:
        create = story.methods["create_batch_buckets_batches"]
        story.methods["delete_batch_buckets_batches"](bucket, made.empty)
        drafts = [
            create(bucket, CreateBatchRequest(object_ids=[one])).batch_id
            for one in (made.soup, made.lake)
        ]
        answer = call(bucket)
        call.same("submitted", answer.get("submitted"), 2)
        ends = [wait(story, draft).status.value for draft in drafts]
        call.same("statuses", ends, ["COMPLETED", "COMPLETED"])
        call.same("submitted again", call(bucket).get("submitted"), 0)
        made.second = drafts[1]
    with story.check("bulk_submit_batches_buckets") as call:
        count = story.methods["get_bucket"](bucket).object_count
        answer = call(bucket, bulk_submit_batches_request=BulkSubmitBatchesRequest(chunk_size=2))
        call.same("total_objects", answer.total_objects, count)
        call.same("total_batches", answer.total_batches, -(-count // 2))
        call.same("submitted", answer.submitted, answer.total_batches)
        call.same("failed", answer.failed, 0)
        call.same("chunk_size", answer.chunk_size, 2)
        call.same("sizes", sum(one.object_count for one in answer.batches), count)
        ends = {wait(story, one.batch_id).status.value for one in answer.batches}
        call.same("statuses", ends, {"COMPLETED"})
    with story.beyond("submitting with the creation") as call:
        status, batch = story.server.request(
            *("POST", f"/v1/buckets/{bucket}/batches?auto_submit=true"),
            *({"object_ids": [made.soup]}, story.key, "client-check"),
        )
        call.same("the status", status, 200)
        call.holds("its state", batch.get("status") in SUBMITTED, batch)
        call.same("its end", wait(story, batch["batch_id"]).status, "COMPLETED")


def heavy(story):
    """A bucket whose batches take long enough to be canceled."""
    made = story.made
    bucket = story.methods["create_bucket"](
        BucketCreateRequest(bucket_name="heavy", bucket_schema=schema(text="text"))
    )
    create = story.methods["create_collection"]
    source = SourceConfigInput(type="bucket", bucket_ids=[bucket.bucket_id])
    params = {"by": "words", "size": 1}
    cut = create(request("single-words", source, "text-chunk", params, {"text": "text"}, []))
    source = SourceConfigInput(type="collection", collection_id=cut.collection_id)
    params = {"dimensions": 64}
    create(request("word-vectors", source, "text-embed", params, {"text": "text"}, ["text"]))
    texts = [" ".join(f"w{text}x{n}" for n in range(WORDS_OF_A_TEXT)) for text in range(TEXTS)]
    blobs = [CreateBlobRequest(property="text", type="text", data=Data(text)) for text in texts]
    objects = [CreateObjectRequest(blobs=[blob]) for blob in blobs]
    answer = story.methods["create_objects_batch_buckets"](
        bucket.bucket_id, CreateObjectsBatchRequest(objects=objects)
    )
    made.heavy = bucket.bucket_id
    made.heavy_objects = [one.object_id for one in answer.succeeded]


def running(story, tier=None):
    """A batch that is under way, with its task."""
    made = story.made
    create = CreateBatchRequest(object_ids=made.heavy_objects)
    batch = story.methods["create_batch_buckets_batches"](made.heavy, create).batch_id
    task = story.methods["submit_batch_buckets_batches"](made.heavy, batch).task_id

    def probe():
        found = story.methods["get_batch_by_id_batches"](batch)
        tiers = found.tier_tasks or []
        begun = tier is None or (len(tiers) > tier and tiers[tier].status.value == "PROCESSING")
        return found if begun and found.status.value == "PROCESSING" or ended(found) else None

    return story.wait(f"the begin of {batch}", probe), task


def cancel(story):
    made = story.made
    with story.beyond("a batch that takes long"):
        heavy(story)
    with story.check("cancel_batch_buckets_batches") as call:
        batch, task_id = running(story)
        task = call(made.heavy, batch.batch_id, reason="not needed")
        call.same("task_id", task.task_id, task_id)
        call.same("status", wait(story, batch.batch_id).status, "CANCELED")
        call.same("of its task", story.methods["get_task"](task_id).status, "CANCELED")
        call.refused(409, made.bucket.bucket_id, made.second)
        call.refused(404, made.heavy, "btch_nothing")
    with story.check("cancel_batch_by_id_batches") as call:
        batch, task_id = running(story)
        call.same("task_id", call(batch.batch_id).task_id, task_id)
        call.same("status", wait(story, batch.batch_id).status, "CANCELED")
        call.refused(404, "btch_nothing")
    with story.check("cancel_tier_buckets_batches_batch_id_num") as call:
        batch, _ = running(story)
        answer = call(made.heavy, batch.batch_id, 1)
        call.same("batch_id", answer.get("batch_id"), batch.batch_id)
        done = wait(story, batch.batch_id)
        call.same("status of the tier", done.tier_tasks[1].status, "CANCELED")
        call.refused(404, made.heavy, batch.batch_id, 9)
    with story.check("cancel_job_buckets_batches_batch_id_tiers_num_ray") as call:
        batch, _ = running(story, tier=1)
        job = batch.tier_tasks[1].extractor_jobs[0].ray_job_id
        answer = call(made.heavy, batch.batch_id, 1, job)
        call.same("batch_id", answer.get("batch_id"), batch.batch_id)
        done = wait(story, batch.batch_id)
        call.same("status of the job", done.tier_tasks[1].extractor_jobs[0].status, "CANCELED")
        call.refused(404, made.heavy, batch.batch_id, 1, "job_nothing")
    with story.beyond("a batch to kill"):
        batch, task_id = running(story)
        tasks.kill(story, task_id)
    with story.check("kill_task") as call:
        call.same("status of its batch", wait(story, batch.batch_id).status, "CANCELED")


def delete(story):
    made = story.made
    bucket = made.bucket.bucket_id
    with story.check("delete_batch_documents_buckets_batches") as call:
        before = story.methods["count_documents"]("pages").count
        batch = story.methods["create_batch_buckets_batches"](
            bucket, CreateBatchRequest(object_ids=[made.soup]), auto_submit=True
        )
        wait(story, batch.batch_id)
        answer = call(bucket, batch.batch_id)
        after = story.methods["count_documents"]("pages").count
        call.same("one page is gone", after, before - 1)
        call.holds("it says how many", any(v for v in answer.values() if type(v) is int), answer)
        call.refused(404, bucket, "btch_nothing")
    with story.check("delete_batch_buckets_batches") as call:
        call.same("success", call(bucket, made.batch).success, True)
        call.refused(404, bucket, made.batch)
