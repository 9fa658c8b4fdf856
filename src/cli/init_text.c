/* What `shipwatch init` writes and says: the configuration, the rules, and what is left to do at the git host. */
#include "base/str.h"
#include "cli/init.h"
#include "rules/rules.h"

/* What differs between hosts. */
static const struct host {
	const char *kind, *secret; /* file of the webhook's secret */
	const char *setting;       /* of the source */
	const char *page;          /* where webhooks are added there */
	const char *url, *given;   /* what its page calls the address and the secret */
	const char *more;          /* what else the page asks; NULL: nothing */
	const char *triggers;      /* as its page names them */
	const char *action;        /* a rollback, commented out */
} hosts[] = {
	{ "gitlab", "gitlab-token", "tokens", "Settings > Webhooks > Add new webhook", "URL", "Secret token", NULL,
	  "Push events, Tag push events, Merge request events, Job events, Pipeline events, Deployment events, Releases events",
	  "# Its token is an access token of the project with the scope api, in a file of mode 0600.\n"
	  "#actions:\n"
	  "#  redeploy: {kind: gitlab, url: \"https://gitlab.example.com\", token: \"${file:secrets/api-token}\", do: redeploy-last-good}\n" },
	{ "github", "github-secret", "secrets", "Settings > Webhooks > Add webhook", "Payload URL", "Secret", "Content type: application/json\n",
	  "\"Let me select individual events\", then Pushes, Branch or tag creation, Pull requests, Releases, Workflow runs, Workflow jobs, "
	  "Deployments, Deployment statuses",
	  "# Its token is a fine-grained one of the repository with Deployments: write, in a file of mode 0600.\n"
	  "#actions:\n"
	  "#  redeploy: {kind: github, token: \"${file:secrets/api-token}\", do: redeploy-last-good}\n" },
	{ "gitea", "gitea-secret", "secrets", "Settings > Webhooks > Add webhook > Gitea", "Target URL", "Secret",
	  "HTTP method: POST; content type: application/json\n",
	  "\"Custom Events\", then Push, Create, Release, Pull Request, Workflow Run, Workflow Job",
	  "# It posts to an address of yours, which deploys what it is told to (docs/hooks.md).\n"
	  "#actions:\n"
	  "#  redeploy: {kind: http, url: \"https://deploy.example.com/rollback\", secret: \"${file:secrets/api-token}\"}\n" },
};

static const struct host *host_of(const struct sw_init *in)
{
	for (size_t i = 0; i < SW_COUNT(hosts); i++)
		if (sw_streq(hosts[i].kind, in->source))
			return &hosts[i];
	return &hosts[0];
}

const char *sw_init_secret_name(const struct sw_init *in)
{
	return host_of(in)->secret;
}

void sw_init_config(const struct sw_init *in, struct sw_buf *b)
{
	const struct host *h = host_of(in);

	sw_buf_cat(b, "# Written by `shipwatch init`. Every setting: docs/configuration.md. After a change: shipwatch check\n"
	              "gateway: {listen: \"0.0.0.0:8080\"}      # webhooks come in here\n"
	              "dashboard: {}                          # pages on http://127.0.0.1:8081, for this machine only\n\nsources:\n");
	sw_buf_printf(b, "  %s: {%s: [\"${file:secrets/%s}\"]}\n", h->kind, h->setting, h->secret);
	sw_buf_cat(b, "  ci: {kind: report, secrets: [\"${file:secrets/ci-secret}\"]}   # for `shipwatch report` in CI jobs\n\nchannels:\n");
	sw_buf_printf(b, "  chat: {kind: %s", in->channel);
	sw_buf_cat(b, in->url ? ", url: \"${file:secrets/chat-url}\"" : "");
	sw_buf_cat(b, in->signing ? ", secret: \"${file:secrets/chat-secret}\"" : "");
	sw_buf_cat(b, "}\nalerts: [chat]                         # what no rule says where to tell\n\nservices:\n  ");
	sw_buf_json(b, in->service);
	sw_buf_cat(b, ":\n    repo: ");
	sw_buf_json(b, in->repo);
	sw_buf_cat(b, "\n    environments:\n      production:\n        health: ");
	sw_buf_json(b, in->health);
	sw_buf_cat(b, "\n");
	if (sw_streq(h->kind, "gitea"))
		sw_buf_cat(b, "        match: [{branch: main}]        # Gitea tells of no deployments:\n"
		              "        deploys: pipeline              # a green run on this branch is one\n");
	sw_buf_cat(b, "#        rollback: redeploy             # with the action below and the rule in rules.yaml: takes a bad release back\n"
	              "        channels: [chat]\n\n");
	sw_buf_cat(b, h->action);
	sw_buf_cat(b, "\nrules: rules.yaml\n");
}

void sw_init_rules(struct sw_buf *b)
{
	sw_buf_cat(b, "# Written by `shipwatch init`: rules that tell and never act. What else there is: docs/rules.md\n");
	sw_buf_cat(b, sw_rules_safe);
	sw_buf_cat(b, "\n# Takes a release back that does not answer well. It wants `rollback:` and the action in shipwatch.yaml; `dry_run: true`\n"
	              "# there shows for a while what it would have done.\n"
	              "#- name: production-health\n"
	              "#  on: deploy-to-prod\n"
	              "#  watch: 5m\n"
	              "#  if: health is failing for 3 checks\n"
	              "#  then: [alert, rollback]\n");
}

void sw_init_next(const struct sw_init *in, const char *config, struct sw_buf *b)
{
	const struct host *h = host_of(in);

	sw_buf_printf(b, "\nWhat is left to do:\n\n1. In %s: %s\n", in->repo, h->page);
	sw_buf_printf(b, "   %s: http://<address of this machine>:8080/hooks/%s\n", h->url, h->kind);
	sw_buf_printf(b, "   %s: what stands in %s/secrets/%s\n", h->given, in->dir, h->secret);
	if (h->more)
		sw_buf_printf(b, "   %s", h->more);
	sw_buf_printf(b, "   Triggers: %s\n", h->triggers);
	sw_buf_printf(b, "2. shipwatch check --online -c %s      asks the addresses too\n", config);
	if (in->url)
		sw_buf_printf(b, "3. shipwatch send chat -c %s      a test message\n4.", config);
	else
		sw_buf_cat(b, "3.");
	sw_buf_printf(b, " shipwatch up -c %s        gateway, worker, dashboard (http://127.0.0.1:8081) and a private Redis\n", config);
}
