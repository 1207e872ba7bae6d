"""Namespaces: the story's own, and a second one that must stay a stranger to it."""

from mixpeek.models import (
    CreateNamespaceRequest,
    ListNamespacesRequest,
    NamespaceStatsBatchRequest,
    PatchNamespaceRequest,
    UpdateNamespaceRequest,
)

NAME = "client-check"
OTHER = "somebody-else"


def create(story):
    made = story.made
    with story.check("create_namespace") as call:
        first = call(CreateNamespaceRequest(namespace_name=NAME, description="of the check"))
        call.same("namespace_name", first.namespace_name, NAME)
        call.same("description", first.description, "of the check")
        call.same("document_count", first.document_count, 0)
        call.holds("namespace_id has its prefix", first.namespace_id.startswith("ns_"))
        made.namespace = first
        other = call(CreateNamespaceRequest(namespace_name=OTHER))
        call.holds("ids differ", other.namespace_id != first.namespace_id)
        made.other = other
        call.refused(409, CreateNamespaceRequest(namespace_name=NAME))
        call.refused(401, CreateNamespaceRequest(namespace_name="third"), stranger=True)
    with story.check("get_namespace") as call:
        for identifier in (made.namespace.namespace_id, NAME):
            found = call(identifier)
            call.same("namespace_id", found.namespace_id, made.namespace.namespace_id)
            call.same("created_at", found.created_at, made.namespace.created_at)
        call.refused(404, "ns_nobody")
        call.refused(401, NAME, stranger=True)
    with story.check("list_namespaces_get") as call:
        page = call(limit=1)
        call.same("results of a page of one", len(page.results), 1)
        # The default namespace is there from the beginning.
        call.holds("total_count", page.total_count >= 2, page.total_count)
        names = [page.results[0].namespace_name]
        while page.pagination.next_cursor:
            page = call(limit=1, cursor=page.pagination.next_cursor)
            names += [one.namespace_name for one in page.results]
        call.holds("cursors lead to all", {NAME, OTHER} <= set(names), names)
        call.same("nothing is shown twice", len(names), len(set(names)))
        call.refused(422, cursor="not-a-cursor")
    with story.check("list_namespaces") as call:
        page = call(list_namespaces_request=ListNamespacesRequest(search=OTHER))
        call.same("names", [one.namespace_name for one in page.results], [OTHER])
        call.same("total_count", page.total_count, 1)
        call.same("pagination.total", page.pagination.total, 1)
        whole = call()
        call.holds("a list needs no body", whole.total_count >= 2)
    with story.check("patch_namespace") as call:
        found = call(OTHER, PatchNamespaceRequest(description="a stranger"))
        call.same("description", found.description, "a stranger")
        call.same("namespace_name", found.namespace_name, OTHER)
        call.refused(404, "nobody", PatchNamespaceRequest(description="a"))
    with story.check("update_namespace") as call:
        found = call(made.other.namespace_id, UpdateNamespaceRequest(namespace_name="stranger"))
        call.same("namespace_name", found.namespace_name, "stranger")
        call.same("description", found.description, "a stranger")
        call.refused(409, "stranger", UpdateNamespaceRequest(namespace_name=NAME))
    with story.check("get_namespace_stats") as call:
        stats = call(NAME)
        call.same("namespace_id", stats.namespace_id, made.namespace.namespace_id)
        counts = (stats.bucket_count, stats.collection_count, stats.object_count)
        call.same("counts of an empty namespace", counts, (0, 0, 0))
        call.refused(404, "nobody")
    with story.check("get_namespace_stats_batch") as call:
        ids = [made.namespace.namespace_id, made.other.namespace_id, "ns_nobody"]
        stats = call(NamespaceStatsBatchRequest(namespace_ids=ids)).stats
        call.same("namespaces", sorted(stats), sorted(ids[:2]))
        call.same("documents", stats[ids[0]].document_count, 0)
    with story.check("ensure_namespace_indexes") as call:
        answer = call(NAME)
        call.same("success", answer["success"], True)
        call.same("namespace_id", answer["namespace_id"], made.namespace.namespace_id)
        call.refused(404, "nobody")


def delete(story):
    with story.check("delete_namespace") as call:
        answer = call("stranger")
        call.same("success", answer["success"], True)
        call.same("namespace_id", answer["namespace_id"], story.made.other.namespace_id)
        call.refused(404, "stranger")
        call(NAME, force=True)
        call.refused(404, story.made.namespace.namespace_id)
