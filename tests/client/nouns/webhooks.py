"""Webhooks: where events go."""

from mixpeek.models import (
    Configs,
    ListWebhooksRequest,
    WebhookChannelInput,
    WebhookConfig,
    WebhookInput,
)


def hook(name, *events, active=True):
    config = Configs(WebhookConfig(url="https://example.com/hook"))
    channel = WebhookChannelInput(channel="webhook", configs=config)
    return WebhookInput(
        webhook_name=name, event_types=list(events), channels=[channel], is_active=active
    )


def tell(story):
    made = story.made
    written, created = "collection.documents.written", "object.created"
    with story.check("create_webhook_organizations") as call:
        found = call(hook("landing", written, created))
        made.webhook = found.webhook_id
        call.holds("webhook_id has its prefix", found.webhook_id.startswith("wh_"))
        call.same("webhook_name", found.webhook_name, "landing")
        events = sorted(event.value for event in found.event_types)
        call.same("event_types", events, [written, created])
        url = found.channels[0].configs.actual_instance.url
        call.same("url", url, "https://example.com/hook")
        call.same("is_active", found.is_active, True)
        call.refused(401, hook("stranger", created), stranger=True)
    with story.check("get_webhook_organizations") as call:
        found = call(made.webhook)
        call.same("webhook_id", found.webhook_id, made.webhook)
        call.same("webhook_name", found.webhook_name, "landing")
        call.refused(404, "wh_0123456789abcdef")
    with story.check("list_webhooks_organizations") as call:
        other = story.methods["create_webhook_organizations"](hook("off", created, active=False))
        made.webhook_off = other.webhook_id
        call.same("total", call().total, 2)
        active = call(list_webhooks_request=ListWebhooksRequest(is_active=True))
        call.same("active", [one.webhook_id for one in active.results], [made.webhook])
        ours = call(list_webhooks_request=ListWebhooksRequest(event_type=written))
        call.same("by event", [one.webhook_id for one in ours.results], [made.webhook])
    with story.check("update_webhook_organizations") as call:
        found = call(made.webhook, hook("landed", created, active=False))
        call.same("webhook_id", found.webhook_id, made.webhook)
        call.same("webhook_name", found.webhook_name, "landed")
        call.same("event_types", [event.value for event in found.event_types], [created])
        call.same("is_active", found.is_active, False)
        call.refused(404, "wh_0123456789abcdef", hook("nobody", created))
    with story.check("delete_webhook_organizations") as call:
        for identifier in (made.webhook, made.webhook_off):
            call.same("answer", call(identifier), None)
            call.refused(404, identifier)
