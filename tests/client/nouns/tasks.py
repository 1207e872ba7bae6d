"""Tasks: the handles of what goes on."""

from mixpeek.models import ListTasksRequest

ENDED = ("COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED")


def ended(thing):
    """The status of a task or batch that has ended, or nothing."""
    status = thing.status.value
    return status if status in ENDED else None


def read(story, status):
    """The task of the first batch, which ended with this status."""
    with story.check("get_task") as call:
        task_id = story.made.task
        task = call(task_id)
        call.same("task_id", task.task_id, task_id)
        call.same("status", task.status, status)
        call.holds("type", task.task_type.value.startswith("api_buckets_batches"), task.task_type)
        call.refused(404, "task_nothing")
        call.refused(401, task_id, stranger=True)
    with story.check("list_tasks") as call:
        task_id = story.made.task
        answer = call(list_tasks_request=ListTasksRequest(status=status))
        call.holds("the task is listed", task_id in [one.task_id for one in answer.results])
        others = [one for one in answer.results if one.status.value != status]
        call.same("tasks of another status", others, [])
        page = call(limit=1)
        call.same("a page of one", len(page.results), 1)


def kill(story, task_id):
    with story.check("kill_task") as call:
        call.same("success", call(task_id).success, True)
