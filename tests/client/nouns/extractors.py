"""Feature extractors, as they are and as a namespace sees them."""

NAMES = {"html-text", "image-features", "text-chunk", "text-embed"}
EMBED = "text-embed@1.0.0"


def read(story):
    with story.check("list_feature_extractors") as call:
        answer = call()
        names = {one.feature_extractor_name for one in answer}
        call.holds("those that come with Quarry are listed", NAMES <= names, names)
        call.same("ids are unique", len({one.feature_extractor_id for one in answer}), len(answer))
    with story.check("get_feature_extractor_by") as call:
        found = call(EMBED)
        call.same("feature_extractor_id", found.feature_extractor_id, EMBED)
        call.same("version", found.version, "1.0.0")
        inputs = found.input_schema.get("properties", {})
        call.holds("its input", "text" in inputs, found.input_schema)
        call.holds("its parameters", "dimensions" in found.parameter_schema["properties"])
        names = [index.name for index in found.required_vector_indexes]
        call.same("its vectors", sorted(names), ["embedding", "sparse"])
        call.refused(404, "nobody@1.0.0")
    namespace = story.made.namespace.namespace_id
    with story.check("list_extractors_namespaces") as call:
        answer = call(namespace)
        call.same("namespace_id", answer.namespace_id, namespace)
        call.same("total", answer.total, len(answer.extractors))
        call.same("kinds", answer.builtin_count + answer.custom_count, answer.total)
        names = {one.feature_extractor_name for one in answer.extractors}
        call.holds("those that come with Quarry are listed", NAMES <= names, names)
        call.refused(404, "ns_nobody")
    with story.check("get_extractor_namespaces") as call:
        found = call(namespace, EMBED)
        call.same("feature_extractor_id", found.feature_extractor_id, EMBED)
        call.same("feature_extractor_name", found.feature_extractor_name, "text-embed")
        call.refused(404, namespace, "nobody@1.0.0")
        call.refused(404, "ns_nobody", EMBED)
