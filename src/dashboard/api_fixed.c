/* The paths of the API that are no list, for its description: what they take and what they answer. JSON with ' in place of ". */
#include "dashboard/api.h"

#define S(type, help)  "{'type':['" type "','null'],'description':'" help "'}"
#define LIST(of)       "{'type':'array','items':{'$ref':'#/components/schemas/" of "'}}"
#define PARAM(name, type, help) "{'name':'" name "','in':'query','description':'" help "','schema':{'type':'" type "'}}"
#define PART(name, help)        "{'name':'" name "','in':'path','required':true,'description':'" help "','schema':{'type':'string'}}"

#define LETTER \
	"{'type':'object','required':['id','kind','reason','at'],'additionalProperties':true,'properties':{'id':{'type':'string'}," \
	"'kind':{'type':'string','description':'in: an event, work: a message of a step, alert: a message to people'},'reason':{'type':'string'}," \
	"'at':{'type':'integer','description':'ms since 1970'},'aggregate':" S("string", "what it was for") ",'source':" S("string", "where it came from") "}}"
#define RULE \
	"{'type':'object','additionalProperties':false,'required':['rule','in_force','fired','alerts_30d','pass_30d','fail_30d','other_30d','watches'],'properties':{" \
	"'rule':{'type':'string'},'in_force':{'type':'boolean','description':'the configuration has it'},'on':" S("string", "trigger") ",'where':" S("string", "which events") "," \
	"'if':" S("string", "condition") ",'watch_ms':" S("integer", "how long it watches; null: decided by the event alone") ",'rollback':{'type':'boolean'}," \
	"'severity':" S("string", "info, warning or critical") ",'file':" S("string", "where it stands") ",'line':" S("integer", "and in which line") "," \
	"'fired':" S("integer", "when it fired last, ms since 1970") ",'alerts_30d':{'type':'integer'},'pass_30d':{'type':'integer'},'fail_30d':{'type':'integer'}," \
	"'other_30d':{'type':'integer'},'watches':{'type':'array','description':'the newest ten','items':{'type':'object','additionalProperties':false," \
	"'required':['watch','deployment','verdict','at'],'properties':{'watch':{'type':'string'},'deployment':{'type':'string'}," \
	"'verdict':{'type':'string','description':'or the state, while there is none'},'at':{'type':'integer'}}}}}}"
#define PLACE \
	"{'type':'object','additionalProperties':false,'required':['service','environment','state','deployments'],'properties':{'service':{'type':'string'}," \
	"'environment':{'type':'string'},'state':" S("string", "of the newest deployment, as badges say it") ",'deployments':{'type':'array','description':'the newest ten'," \
	"'items':{'type':'object','additionalProperties':false,'required':['deployment','at','status','state'],'properties':{'deployment':{'type':'string'},'at':{'type':'integer'}," \
	"'status':{'type':'string'},'state':{'type':'string','description':'pass, fail, rolled back, watching, running …'},'verdict':" S("string", "worst of its watches") "," \
	"'sha':" S("string", "commit") ",'version':" S("string", "version") ",'user':" S("string", "who deployed it") ",'is_rollback':{'type':'boolean'}}}}}}"
#define HISTORY \
	"{'type':'object','additionalProperties':false,'required':['recorder','written','waits_ms','wrong','position','error'],'properties':{" \
	"'recorder':{'type':'string','enum':['up','down']},'written':{'type':'boolean','description':'this recorder can write it'}," \
	"'waits_ms':" S("integer", "how long the first entry of the journal waits that is not in it; 0: none waits; null: not known") "," \
	"'wrong':" S("string", "what people are told: down, not written, behind; null: all is well") "," \
	"'position':" S("string", "entry of the journal that is in it last") ",'error':" S("string", "why there is none") "}}"
#define SILENCE \
	"{'type':'object','required':['id','until'],'additionalProperties':true,'properties':{'id':{'type':'string'},'until':{'type':'integer'},'service':" S("string", "pattern") "," \
	"'env':" S("string", "pattern") ",'rule':" S("string", "pattern") ",'severity':" S("string", "info, warning or critical") ",'maintenance':{'type':'boolean'}," \
	"'who':" S("string", "who added it") ",'why':" S("string", "reason") "}}"

/* clang-format off */
const struct api_fixed api_fixed[] = {
	{ "/api/v1/search", "search", "Everything that belongs to one id: of a run, event, delivery, deployment, watch, alert or action, or 7 digits and more of a commit.",
	  PARAM("q", "string", "the id") "," PARAM("ci_run_id", "string", "the id of a run") "," PARAM("limit", "integer", "items of each kind at most, 25 unless said"),
	  "{'type':'object','additionalProperties':false,'required':['q','ci_run_id','log_url','events','builds','deployments','watches','alerts','actions'],'properties':{"
	  "'q':{'type':'string'},'ci_run_id':" S("string", "the run all of it belongs to") ",'log_url':" S("string", "where its logs are found") ","
	  "'events':" LIST("event") ",'builds':" LIST("build") ",'deployments':" LIST("deployment") ",'watches':" LIST("watch") ",'alerts':" LIST("alert") ",'actions':" LIST("action") "}}", NULL, false },
	{ "/api/v1/overview", "overview", "What needs a person, what goes on, what runs where.", NULL,
	  "{'type':'object','additionalProperties':false,'required':['now','asking','firing','watching','running','dead','history','places'],'properties':{'now':{'type':'integer'},"
	  "'asking':" LIST("action") ",'firing':" LIST("alert") ",'watching':" LIST("watch") ",'running':" LIST("deployment") ","
	  "'dead':" S("integer", "dead letters; null: Redis does not answer") ",'history':" HISTORY ",'places':{'type':'array','items':" PLACE "}}}", NULL, false },
	{ "/api/v1/rules", "rules", "The rules of the configuration, and those that ever fired, with how they did.", NULL,
	  "{'type':'object','additionalProperties':false,'required':['items','next'],'properties':{'items':{'type':'array','items':" RULE "},'next':{'type':'null'}}}", NULL, false },
	{ "/api/v1/status", "status", "How Shipwatch itself is: queues, workers, gateways, holds, as Redis says; and the history.", NULL,
	  "{'type':'object','required':['now','in','work','timers','dead','workers','gateways','holds','history'],'additionalProperties':true,'properties':{'now':{'type':'integer'},"
	  "'in':{'type':'integer','description':'events to be taken in'},'work':{'type':'integer','description':'steps to be done'},'timers':{'type':'integer'},'dead':{'type':'integer'},"
	  "'workers':{'type':'object','additionalProperties':{'type':'integer'}},'gateways':{'type':'object'},'holds':{'type':'object'},"
	  "'history':" HISTORY "}}", NULL, false },
	{ "/api/v1/dead", "dead", "Dead letters, the newest 100.", PARAM("from", "string", "id of the last one seen"),
	  "{'type':'object','additionalProperties':false,'required':['items','next'],'properties':{'items':{'type':'array','items':" LETTER "},"
	  "'next':" S("string", "from of what follows; null: that was all") "}}", NULL, false },
	{ "/api/v1/dead/{id}", "dead_letter", "One dead letter with its body.", PART("id", "as the list names it"), LETTER, NULL, false },
	{ "/api/v1/silences", "silences", "Silences, those that were over within a day too.", NULL,
	  "{'type':'object','additionalProperties':false,'required':['items','next'],'properties':{'items':{'type':'array','items':" SILENCE "},'next':{'type':'null'}}}", NULL, false },
	{ "/api/v1/export", "export", "The history as lines of JSON, as shipwatch replay reads them.",
	  PARAM("service", "string", "with environment: one place") "," PARAM("environment", "string", "with service") "," PARAM("since", "string", "as of lists") "," PARAM("until", "string", "as of lists"),
	  "{'type':'string'}", "application/x-ndjson", false },
	{ "/api/v1/badge/{service}/{environment}.svg", "badge", "The state of the newest deployment as a small picture.", PART("service", "the service") "," PART("environment", "the environment"),
	  "{'type':'string'}", "image/svg+xml", true },
	{ "/api/v1/openapi.json", "openapi", "This description.", NULL, "{'type':'object','required':['openapi','paths']}", NULL, true },
};
/* clang-format on */
const size_t api_n_fixed = SW_COUNT(api_fixed);
