"""Uploads: a place is asked for, the bytes are put there, and confirming makes an object."""

import hashlib
import urllib.request

from mixpeek.models import (
    BatchConfirmRequest,
    BatchUploadRequest,
    ConfirmUploadRequest,
    CreateUploadRequest,
    ListUploadsRequest,
)

from .pictures import png
from .tasks import ended


def put(url, data):
    """What anybody does with a presigned URL: no key, no client."""
    request = urllib.request.Request(url, data, {"Content-Type": "image/png"}, method="PUT")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.status


def tell(story):
    made = story.made
    picture = png(32, 32, (200, 30, 30))
    digest = hashlib.sha256(picture).hexdigest()

    def request(name, size=len(picture), **more):
        return CreateUploadRequest(
            filename=f"{name}.png",
            content_type="image/png",
            file_size_bytes=size,
            blob_property="picture",
            blob_type="image",
            object_metadata={"title": name, "year": 1903},
            **more,
        )

    bucket = made.bucket.bucket_id
    with story.check("create_upload_buckets") as call:
        upload = call(bucket, request("Poppy", file_hash=digest, metadata={"from": "check"}))
        call.holds("upload_id has its prefix", upload.upload_id.startswith("upl_"))
        call.same("bucket_id", upload.bucket_id, bucket)
        call.same("filename", upload.filename, "Poppy.png")
        call.same("metadata", upload.metadata, {"from": "check"})
        call.same("presigned_url_expiration", upload.presigned_url_expiration, 3600)
        call.same("create_object_on_confirm", upload.create_object_on_confirm, True)
        call.holds("expires_at", upload.expires_at > upload.created_at)
        made.upload = upload
        call.holds("the URL takes the bytes", put(upload.presigned_url, picture) < 300)
        call.refused(404, "bkt_nothing", request("Poppy"))
    with story.check("get_upload_buckets") as call:
        found = call(bucket, made.upload.upload_id)
        call.same("upload_id", found["upload_id"], made.upload.upload_id)
        call.same("filename", found["filename"], "Poppy.png")
        call.refused(404, bucket, "upl_nothing")
        call.refused(404, "box", made.upload.upload_id)
    with story.check("confirm_upload_buckets") as call:
        wrong = ConfirmUploadRequest(file_size_bytes=1)
        call.refused(422, bucket, made.upload.upload_id, confirm_upload_request=wrong)
        right = ConfirmUploadRequest(file_size_bytes=len(picture))
        answer = call(bucket, made.upload.upload_id, confirm_upload_request=right)
        call.same("upload_id", answer.upload_id, made.upload.upload_id)
        call.same("status", answer.status, "COMPLETED")
        call.same("file_size_bytes", answer.file_size_bytes, len(picture))
        call.same("file_hash", answer.file_hash, digest)
        call.holds("an object was made", (answer.object_id or "").startswith("obj_"))
        made.poppy = answer.object_id
        found = story.methods["get_object_buckets"](bucket, made.poppy)
        kinds = {blob.var_property: blob.type.value for blob in found.blobs}
        call.same("its picture", kinds.get("picture"), "image")
        call.refused(404, bucket, "upl_nothing", confirm_upload_request=right)
    with story.check("create_uploads_batch_buckets") as call:
        # What stands behind the end of a picture is not looked at: both are pictures.
        files = {name: picture + name.encode() for name in ("Aster", "Briar")}
        wanted = [request(name, len(data)) for name, data in files.items()]
        answer = call(bucket, BatchUploadRequest(uploads=wanted))
        call.same("total", answer.total, 2)
        call.same("names", [one.filename for one in answer.uploads], ["Aster.png", "Briar.png"])
        made.uploads = answer.uploads
        for one, data in zip(answer.uploads, files.values()):
            put(one.presigned_url, data)
    with story.check("confirm_uploads_batch_buckets") as call:
        confirmations = [{"upload_id": made.uploads[0].upload_id}]
        answer = call(bucket, BatchConfirmRequest(confirmations=confirmations))
        call.same("confirmations_count", answer.confirmations_count, 1)
        call.same("task", answer.task.task_id, answer.task_id)
        get = story.methods["get_task"]
        done = story.wait("confirming", lambda: ended(get(answer.task_id)))
        call.same("its end", done, "COMPLETED")
        upload = story.methods["get_upload_buckets"](bucket, made.uploads[0].upload_id)
        call.holds("an object was made", str(upload.get("object_id")).startswith("obj_"), upload)
    with story.check("list_uploads_buckets") as call:
        answer = call(bucket, list_uploads_request=ListUploadsRequest())
        call.same("uploads", len(answer.results), 3)
        call.same("total_uploads", answer.stats.total_uploads, 3)
        call.same("of one bucket", answer.stats.unique_buckets, 1)
        call.same("of the other bucket", call("box").results, [])
    with story.check("delete_upload_buckets") as call:
        call.same("answer", call(bucket, made.uploads[1].upload_id), None)
        call.refused(404, bucket, made.uploads[1].upload_id)
        left = story.methods["list_uploads_buckets"](bucket)
        call.same("uploads that are left", len(left.results), 2)

