"""Collections in three tiers: pages are read, cut into chunks and embedded; pictures beside it."""

from mixpeek.models import (
    CloneCollectionRequest,
    CollectionExportRequest,
    CreateCollectionRequest,
    FieldMapping,
    FieldPassthrough,
    ImportMapping,
    ImportRequest,
    InputMappings,
    ListCollectionsRequest,
    MappingTarget,
    MappingValidationRequest,
    SchemaInferenceRequest,
    SharedCollectionFeaturesExtractorsModelsFeatureExtractorConfigInput as Extractor,
    SortOption,
    SourceConfigInput,
    SourceField,
    TriggerCollectionRequest,
)

from .tasks import ended


def request(name, source, extractor, params, inputs, passthrough):
    return CreateCollectionRequest(
        collection_name=name,
        source=source,
        feature_extractor=Extractor(
            feature_extractor_name=extractor,
            version="1.0.0",
            params=params,
            input_mappings=InputMappings(inputs),
            field_passthrough=[FieldPassthrough(source_path=path) for path in passthrough],
        ),
    )


def create(story):
    made = story.made
    with story.check("create_collection") as call:
        bucket = SourceConfigInput(type="bucket", bucket_ids=[made.bucket.bucket_id])

        def of(collection):
            return SourceConfigInput(type="collection", collection_id=collection.collection_id)

        # The extractor makes a `title` of its own, from the page.
        pages = call(request("pages", bucket, "html-text", {}, {"html": "page"}, ["year"]))
        call.same("collection_name", pages.collection_name, "pages")
        call.holds("collection_id has its prefix", pages.collection_id.startswith("col_"))
        call.same("extractor", pages.feature_extractor.feature_extractor_id, "html-text@1.0.0")
        call.same("source", pages.source.bucket_ids, [made.bucket.bucket_id])
        call.same("document_count", pages.document_count, 0)
        call.holds("its output", "text" in pages.output_schema.properties, pages.output_schema)
        made.pages = pages
        params = {"by": "words", "size": 8}
        chunks = request("chunks", of(pages), "text-chunk", params, {"text": "text"}, ["title"])
        made.chunks = call(chunks)
        call.same("params", made.chunks.feature_extractor.params, params)
        params = {"dimensions": 64, "stopwords": "english"}
        made.passages = call(
            request(
                *("passages", of(made.chunks), "text-embed", params),
                *({"text": "text"}, ["text", "title", "chunk_index"]),
            )
        )
        vectors = [index.name for index in made.passages.vector_indexes or []]
        call.holds("its vectors", any("embedding" in name for name in vectors), vectors)
        made.pictures = call(
            request(
                *("pictures", bucket, "image-features", {"thumbnail_px": 32}),
                *({"image": "picture"}, ["title"]),
            )
        )
        call.refused(409, chunks)
        call.refused(401, chunks, stranger=True)
        nobody = request("nobody", bucket, "no-such-thing", {}, {"text": "page"}, [])
        call.refused(422, nobody)
        wide = request("wide", bucket, "text-embed", {"dimensions": 0}, {"text": "page"}, [])
        error = call.refused(422, wide)
        call.holds("the error has a pointer", "field" in error.details, error.details)
        call.refused(422, request("odd", bucket, "text-embed", {}, {"text": "nothing"}, []))
    with story.check("get_collection") as call:
        for identifier in (made.chunks.collection_id, "chunks"):
            found = call(identifier)
            call.same("collection_id", found.collection_id, made.chunks.collection_id)
        call.same("source", found.source.collection_id, made.pages.collection_id)
        call.refused(404, "col_nothing")
    names = ["chunks", "pages", "passages", "pictures"]
    with story.check("list_collections_get") as call:
        answer = call()
        call.same("names", sorted(one.collection_name for one in answer.results), names)
        call.same("total_count", answer.total_count, 4)
        found = call(search="chunk").results
        call.same("found", [one.collection_name for one in found], ["chunks"])
    with story.check("list_collections") as call:
        by_name = SortOption(field="collection_name", direction="desc")
        answer = call(list_collections_request=ListCollectionsRequest(sort=by_name))
        call.same("order", [one.collection_name for one in answer.results], names[::-1])
        page = call(limit=3, list_collections_request=ListCollectionsRequest(sort=by_name))
        call.same("pages", page.pagination.total_pages, 2)
    with story.check("describe_collection_features") as call:
        features = {one.vector_index.name: one for one in call("passages").features}
        call.holds("its vectors", len(features) == 2, sorted(features))
        uris = sorted(one.feature_uri for one in features.values())
        expected = [f"quarry://text-embed@1.0.0/{name}" for name in ("embedding", "sparse")]
        call.same("feature URIs", uris, expected)
        call.same("features of chunks", call("chunks").features, [])
        call.refused(404, "col_nothing")


def search(story):
    with story.beyond("search") as call:
        body = {"query": "boat drifts on the quiet lake", "limit": 3}
        path = "/v1/collections/passages/search"
        key = story.key
        status, answer = story.server.request("POST", path, body, key, "client-check")
        call.same("the status", status, 200)
        results = answer.get("results", []) if isinstance(answer, dict) else []
        call.holds("something is found", bool(results), answer)
        call.holds("the lake is first", "Lake" in str(results[:1]), results[:1])
        status, answer = story.server.request("POST", path, body, key, "stranger")
        call.same("another namespace sees nothing", status, 404)


def change(story):
    made = story.made
    with story.check("update_collection") as call:
        before = story.methods["get_collection"]("pictures")
        found = call("pictures", {"description": "what is on them", "metadata": {"a": 1}})
        call.same("description", found.description, "what is on them")
        call.same("metadata", found.metadata, {"a": 1})
        call.same("collection_id", found.collection_id, before.collection_id)
        call.same("document_count stays", found.document_count, before.document_count)
        call.refused(404, "nothing", {"description": "a"})
        call.refused(409, "pictures", {"collection_name": "chunks"})
    with story.check("clone_collection") as call:
        answer = call("passages", CloneCollectionRequest(collection_name="copies"))
        call.same("source_collection_id", answer.source_collection_id, made.passages.collection_id)
        call.same("collection_name", answer.collection.collection_name, "copies")
        call.same("params", answer.collection.feature_extractor.params["dimensions"], 64)
        call.same("document_count", answer.collection.document_count, 0)
        call.refused(404, "nothing", CloneCollectionRequest(collection_name="more"))
        call.refused(409, "passages", CloneCollectionRequest(collection_name="copies"))
    with story.check("export_collection") as call:
        request = CollectionExportRequest(format="json")
        answer = call("chunks", collection_export_request=request)
        count = story.methods["count_documents"]("chunks").count
        call.same("format", answer.format, "json")
        call.same("document_count", answer.document_count, count)
        call.holds("file_size_bytes", answer.file_size_bytes > 0)
        call.refused(404, "nothing", collection_export_request=request)
    rows = [{"id": "a", "text": "one", "size": 1}, {"id": "b", "text": "two", "size": 2}]
    with story.check("infer_import_schema") as call:
        fields = call(SchemaInferenceRequest(sample_rows=rows)).fields
        types = {one.path: one.type for one in fields}
        call.same("types", types, {"id": "string", "text": "string", "size": "integer"})
    mapping = ImportMapping(
        fields=[
            FieldMapping(
                source_field="id", target=MappingTarget(kind="identity", role="source_object_id")
            ),
            FieldMapping(source_field="text", target=MappingTarget(kind="metadata", path="text")),
        ]
    )
    with story.check("validate_import_mapping") as call:
        fields = [SourceField(path="id", type="string"), SourceField(path="text", type="string")]
        answer = call(MappingValidationRequest(source_fields=fields, mapping=mapping))
        call.same("ok", answer.ok, True)
        answer = call(MappingValidationRequest(source_fields=fields[:1], mapping=mapping))
        call.same("ok without the field", answer.ok, False)
        call.holds("the error names the field", "text" in str(answer.errors), answer.errors)
    with story.check("import_collection") as call:
        before = story.methods["count_documents"]("pages").count
        trial = ImportRequest(export=rows[0], mapping=mapping, dry_run=True)
        answer = call("pages", trial)
        call.same("dry_run", answer.dry_run, True)
        call.same("imported by a trial", (answer.reconstructed, answer.imported), (1, 0))
        answer = call("pages", ImportRequest(export=rows[0], mapping=mapping))
        call.same("imported", answer.imported, 1)
        call.same("documents", story.methods["count_documents"]("pages").count, before + 1)
        call.refused(404, "nothing", trial)
    with story.check("reconcile_collection_reconciliation") as call:
        answer = call("pages")
        call.same("collection_id", answer.collection_id, made.pages.collection_id)
        objects = story.methods["get_bucket"](made.bucket.bucket_id).object_count
        call.same("source_object_count", answer.source_object_count, objects)
        count = story.methods["count_documents"]("pages").count
        call.same("document_count", answer.document_count, count)
        missing = answer.source_object_count - answer.produced_object_count
        call.same("delta", answer.delta, missing)
        call.refused(404, "nothing")
    with story.check("trigger_collection") as call:
        request = TriggerCollectionRequest(object_ids=[made.soup])
        answer = call("pages", trigger_collection_request=request)
        call.same("collection_id", answer.collection_id, made.pages.collection_id)
        call.same("object_count", answer.object_count, 1)
        task = story.wait(
            "the triggered batch", lambda: ended(story.methods["get_task"](answer.task_id))
        )
        call.same("status", task, "COMPLETED")
        call.refused(404, "nothing")


def delete(story):
    with story.check("delete_collection") as call:
        # Others still read it.
        call.refused(409, "pages")
        for name in ("copies", "passages", "chunks", "pages", "pictures"):
            call.holds("success", call(name)["success"])
            call.refused(404, name)
