"""Documents: what came out of the first batch, where it comes from, and changes by hand."""

import json
import urllib.parse
import urllib.request

from mixpeek.models import (
    AggregationOperation,
    BatchDeleteDocumentsRequest,
    BatchDocumentUpdate,
    BatchUpdateDocumentsRequest,
    BulkUpdateDocumentsRequest,
    DistinctValuesRequest,
    DocumentAggregationRequest,
    DocumentCreateRequest,
    GroupByField,
    ListDocumentsRequest,
    UpdateDocumentACLRequest,
)

from .filters import condition, every

TITLES = ["Lake", "Rain", "Soup"]


def field(document, name):
    """A value of the payload, which the client keeps beside the fields it knows."""
    return document.additional_properties.get(name)


def root(document):
    return document.internal.lineage.root_object_id


def read(story):
    made = story.made
    pages, chunks, passages = (
        getattr(made, name).collection_id for name in ("pages", "chunks", "passages")
    )
    with story.check("count_documents") as call:
        call.same("pages", call("pages").count, 3)
        call.same("collection_id", call("pages").collection_id, pages)
        call.same("pictures", call("pictures").count, 1)
        call.same("a chunk is a passage", call("passages").count, call("chunks").count)
        call.refused(404, "col_nothing")
        call.refused(401, "pages", stranger=True)
    with story.beyond("the count of the collection") as call:
        count = story.methods["count_documents"]("chunks").count
        found = story.methods["get_collection"]("chunks")
        call.same("document_count", found.document_count, count)
    with story.check("list_documents") as call:
        answer = call(pages, list_documents_request=ListDocumentsRequest(include_total=True))
        call.same("titles", sorted(field(one, "title") for one in answer.results), TITLES)
        call.same("total", answer.pagination.total, 3)
        roots = {field(one, "title"): root(one) for one in answer.results}
        call.same("roots", roots, {"Lake": made.lake, "Rain": made.rain, "Soup": made.soup})
        made.page = next(one for one in answer.results if field(one, "title") == "Lake")
        wanted = every(condition("title", "eq", "Lake"))
        answer = call(chunks, list_documents_request=ListDocumentsRequest(filters=wanted))
        call.same("filtered", {field(one, "title") for one in answer.results}, {"Lake"})
        seen, cursor = [], None
        while cursor is not None or not seen:
            asked = ListDocumentsRequest(limit=2, cursor=cursor)
            page = call(passages, list_documents_request=asked)
            seen += [one.document_id for one in page.results]
            cursor = page.pagination.next_cursor
        call.same("pages of two", len(seen), story.methods["count_documents"](passages).count)
        call.same("nothing is shown twice", len(set(seen)), len(seen))
    with story.check("list_documents_0") as call:
        filters = json.dumps({"AND": [condition("title", "eq", "Lake")]})
        answer = call("passages", filters=filters, limit=100)
        call.same("filtered", {field(one, "title") for one in answer.results}, {"Lake"})
        made.passage = next(one for one in answer.results if field(one, "chunk_index") == 1)
        call.refused(422, "passages", filters="{")
    with story.check("get_document") as call:
        found = call(passages, made.passage.document_id, return_vectors=True)
        call.same("document_id", found.document_id, made.passage.document_id)
        call.same("collection_id", found.collection_id, passages)
        call.same("root", root(found), made.lake)
        lengths = [len(one) for one in field(found, "_vectors").values() if type(one) is list]
        call.same("its dense vector", lengths, [64])
        history = (field(found, "internal_metadata") or {}).get("processing_history") or []
        names = [step.get("extractor") or step.get("extractor_name") for step in history]
        call.same("its history", [str(name).split("@")[0] for name in names], ["text-embed"])
        call.refused(404, passages, "doc_nothing")
        # A document of another collection does not exist in this one.
        call.refused(404, pages, made.passage.document_id)
    with story.check("get_document_ancestors") as call:
        found = call("passages", made.passage.document_id)
        call.same("collections", [one.collection_id for one in found], [pages, chunks])
        call.same("the first", found[0].document_id, made.page.document_id)
        call.same("roots", {root(one) for one in found}, {made.lake})
        call.same("of a page", call("pages", made.page.document_id), [])
        call.refused(404, "passages", "doc_nothing")
    with story.check("get_document_descendants") as call:
        found = call("pages", made.page.document_id)
        below = {one.collection_id for one in found}
        call.holds("chunks come first", chunks in below, below)
        call.same("titles", {field(one, "title") for one in found}, {"Lake"})
        call.same("of a passage", call("passages", made.passage.document_id), [])
        call.refused(404, "pages", "doc_nothing")
    with story.check("get_document_diagnostics") as call:
        found = call("passages", made.passage.document_id)
        call.same("document_id", found.document_id, made.passage.document_id)
        call.same("source_object_id", found.source_object_id, made.lake)
        call.same("searchable", found.visibility_reason.searchable, True)
        call.same("failures", found.recent_failures.failures or [], [])
        call.refused(404, "passages", "doc_nothing")
    with story.check("distinct_document_values") as call:
        answer = call("chunks", DistinctValuesRequest(field="title"))
        call.same("field", answer.var_field, "title")
        call.same("values", sorted(one.value for one in answer.values), TITLES)
        call.same("total_distinct", answer.total_distinct, 3)
        total = story.methods["count_documents"]("chunks").count
        call.same("counts", sum(one.count for one in answer.values), total)
    with story.check("aggregate_documents") as call:
        request = DocumentAggregationRequest(
            group_by=[GroupByField(field="title")],
            aggregations=[
                AggregationOperation(function="count", alias="chunks"),
                AggregationOperation(function="max", field="chunk_index", alias="last"),
            ],
        )
        answer = call("chunks", request)
        call.same("total_groups", answer.total_groups, 3)
        groups = {one.group["title"]: one.metrics for one in answer.results}
        lasts = {title: found["last"] + 1 for title, found in groups.items()}
        counts = {title: found["chunks"] for title, found in groups.items()}
        call.same("the last chunk tells how many", lasts, counts)
    with story.check("download_document_media") as call:
        [picture] = story.methods["list_documents"]("pictures").results
        answer = call("pictures", picture.document_id)
        url = urllib.parse.urljoin(story.server.url, answer.download_url)
        headers = {"Authorization": f"Bearer {story.key}", "X-Namespace": "client-check"}
        asked = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(asked, timeout=30) as response:
            call.same("a JPEG comes", response.read()[:2], b"\xff\xd8")
        call.refused(404, "pictures", "doc_nothing")
    with story.beyond("another namespace sees no document") as call:
        path = f"/v1/collections/{passages}/documents/{made.passage.document_id}"
        status, _ = story.server.request("GET", path, None, story.key, "stranger")
        call.same("the status", status, 404)


def change(story):
    made = story.made
    get, count = story.methods["get_document"], story.methods["count_documents"]
    with story.check("create_document") as call:
        before = count("chunks").count
        fields = {"title": "Note", "text": "by hand", "chunk_index": 0}
        found = call("chunks", DocumentCreateRequest(additional_properties=fields))
        call.same("title", field(found, "title"), "Note")
        call.same("collection_id", found.collection_id, made.chunks.collection_id)
        call.same("documents", count("chunks").count, before + 1)
        made.note = found.document_id
        call.same("it is there", field(get("chunks", made.note), "text"), "by hand")
        call.refused(404, "nothing", DocumentCreateRequest(additional_properties=fields))
    with story.check("patch_document") as call:
        found = call("chunks", made.note, {"text": "by another hand"})
        call.same("text", field(found, "text"), "by another hand")
        call.same("title stays", field(found, "title"), "Note")
        call.refused(404, "chunks", "doc_nothing", {"text": "a"})
    with story.check("update_document") as call:
        found = call("chunks", made.note, {"title": "Card"})
        call.same("title", field(found, "title"), "Card")
        call.same("text stays", field(found, "text"), "by another hand")
        call.refused(404, "chunks", "doc_nothing", {"title": "a"})
    with story.check("update_document_acl") as call:
        # Readers that are kept and not enforced would be worse than none.
        call.unsupported("chunks", made.note, UpdateDocumentACLRequest(read=["ada"]))
        call.refused(404, "chunks", "doc_nothing", UpdateDocumentACLRequest(public=True))
    with story.check("batch_update") as call:
        updates = [
            BatchDocumentUpdate(document_id=made.note, update_data={"mark": 1}),
            BatchDocumentUpdate(document_id="doc_nothing", update_data={"mark": 1}),
        ]
        answer = call("chunks", BatchUpdateDocumentsRequest(updates=updates))
        call.same("updated_count", answer.updated_count, 1)
        call.same("failed_count", answer.failed_count, 1)
        call.same("results", [one.success for one in answer.results], [True, False])
        call.same("mark", field(get("chunks", made.note), "mark"), 1)
    with story.check("bulk_update") as call:
        wanted = every(condition("title", "eq", "Soup"))
        soups = ListDocumentsRequest(filters=wanted, limit=100)
        soups = story.methods["list_documents"]("chunks", list_documents_request=soups)
        number = len(soups.results)
        request = BulkUpdateDocumentsRequest(filters=wanted, update_data={"mark": 2})
        answer = call("chunks", request)
        call.same("updated_count", answer.updated_count, number)
        call.same("those of others stay", field(get("chunks", made.note), "mark"), 1)
    with story.check("validate_document_schema") as call:
        answer = call("chunks", {"text": "fits"})
        call.same("valid", answer.get("valid"), True)
        answer = call("chunks", {"chunk_index": "no number"})
        call.same("valid with a wrong type", answer.get("valid"), False)
        call.holds("the violation is named", "chunk_index" in str(answer), answer)
    with story.check("batch_delete") as call:
        before = count("chunks").count
        wanted = every(condition("mark", "eq", 2))
        answer = call("chunks", BatchDeleteDocumentsRequest(filters=wanted))
        call.same("deleted_count", answer.deleted_count, number)
        call.same("documents", count("chunks").count, before - number)
        ids = [made.note, "doc_nothing"]
        answer = call("chunks", BatchDeleteDocumentsRequest(document_ids=ids))
        call.same("results", [one.success for one in answer.results], [True, False])
    with story.check("delete_document") as call:
        before = count("passages").count
        call.same("success", call("passages", made.passage.document_id).success, True)
        call.same("documents", count("passages").count, before - 1)
        call.refused(404, "passages", made.passage.document_id)
