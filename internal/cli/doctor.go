package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/internal/runs"
	"github.com/convilyn/convilyn-temporal/internal/temporalconn"
	"github.com/convilyn/convilyn-temporal/internal/term"
	"github.com/convilyn/convilyn-temporal/workflows"
)

func newDoctor(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check settings, Temporal, workers, the API and engines, each with its remedy", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return env.doctor(cmd.Context(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a check, and one an engine")
	return cmd
}

func (e *Env) doctor(ctx context.Context, asJSON bool) error {
	cfg, err := config.Load(e.Getenv)
	checks := []Check{finding("settings", err, "CONVILYN_* are well-formed", "correct the variables named")}
	if e.Checks == nil {
		checks = append(checks, rootsOfWorkers(cfg.Roots))
	}
	session, openErr := e.open(ctx)
	if openErr != nil {
		checks = append(checks, e.unopened(openErr))
	} else {
		defer session.Close()
		checks = append(checks, temporalChecks(ctx, session)...)
	}
	switch {
	case e.Checks != nil && session != nil:
		checks = append(checks, e.Checks(ctx, session)...)
	case e.Checks != nil && cfg.APIKey == "":
		checks = append(checks, Check{Name: "api", NotLooked: true, Detail: "not looked at: it would be that of the stack"})
	case err == nil:
		checks = append(checks, APIChecks(ctx, cfg)...)
	}
	healthy := e.printChecks(checks, asJSON)
	if err := e.printEngines(ctx, asJSON); err != nil {
		return err
	}
	return healthy
}

// unopened is why there is no Temporal.
func (e *Env) unopened(err error) Check {
	check := Check{Name: "temporal", Detail: err.Error(), Remedy: "set TEMPORAL_ADDRESS, or use standalone"}
	var foreign *datafolder.ForeignError
	var denied *serviceerror.PermissionDenied
	switch {
	case errors.As(err, &foreign):
		check.Detail, check.Remedy = foreign.Detail(), foreign.Remedy()
	case errors.As(err, &denied):
		check.Remedy = "show what lets its owner in, such as TEMPORAL_API_KEY; where it is somebody else's, use another Temporal, or standalone"
	case e.Running != nil: // the stack is our own
		check.Remedy = "do what it says, or choose another data folder with --data"
	}
	return check
}

// rootsOfWorkers goes by the settings here, which workers are given, too.
func rootsOfWorkers(folders []string) Check {
	if len(folders) == 0 {
		return Check{Name: "roots", OK: true, Detail: "CONVILYN_ROOTS is not set here; workers without it use any file that they are told to"}
	}
	return Check{Name: "roots", OK: true, Detail: "workers with these settings use " + strings.Join(folders, ", ") + " alone"}
}

func finding(name string, err error, fine, remedy string) Check {
	if err != nil {
		return Check{Name: name, Detail: err.Error(), Remedy: remedy}
	}
	return Check{Name: name, OK: true, Detail: fine}
}

func temporalChecks(ctx context.Context, s *Session) []Check {
	reply, err := s.Temporal.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	checks := []Check{
		finding("temporal", err, fmt.Sprintf("server %s at %s, namespace %s", reply.GetServerVersion(), s.Address, s.Namespace), "set TEMPORAL_ADDRESS"),
		sealingCheck(s.Keys),
	}
	if err != nil {
		for _, name := range []string{"search attributes", "workers", "runs"} {
			checks = append(checks, Check{Name: name, NotLooked: true, Detail: "not looked at: Temporal is down"})
		}
		return checks
	}
	return append(checks,
		finding("search attributes", temporalconn.CheckSearchAttributes(ctx, s.Temporal, s.Namespace), "all registered", "run: starter setup"),
		workerCheck(ctx, s), troubleCheck(ctx, s))
}

const (
	// surveyMost is how many open runs doctor looks at, the newest first.
	surveyMost     = 500
	surveyPatience = 20 * time.Second
)

// troubleCheck looks for steps that are tried again and again, of any run.
func troubleCheck(ctx context.Context, s *Session) Check {
	ctx, cancel := context.WithTimeout(ctx, surveyPatience)
	defer cancel()
	troubles, more, err := s.runs().Survey(ctx, surveyMost)
	if err != nil {
		return finding("runs", err, "", "set TEMPORAL_ADDRESS")
	}
	looked := "every open run comes on"
	if more {
		looked = fmt.Sprintf("the newest %d open runs come on; there are more", surveyMost)
	}
	if len(troubles) == 0 {
		return Check{Name: "runs", OK: true, Detail: looked}
	}
	check := Check{Name: "runs", Detail: fmt.Sprintf("%s: %s", troubles[0].WorkflowID, troubles[0].Text(time.Now())), Remedy: troubleRemedy(troubles[0])}
	if others := len(troubles) - 1; others > 0 {
		check.Detail += fmt.Sprintf(" (and %d more; runs list marks them)", others)
	}
	return check
}

// troubleRemedy is what people can do about it. The step goes on by itself once that is done.
func troubleRemedy(t runs.Trouble) string {
	switch t.Code {
	case activities.CodeDiskFull:
		return "make room; the steps go on by themselves"
	case runs.CodeNoWorker:
		return "start a worker, or wait until one has room"
	case activities.CodeWebhook:
		return "see that CONVILYN_WEBHOOK_URL answers; notifications list has what is not delivered"
	case activities.CodeUnavailable:
		return "see that the service and the network are up; the steps go on by themselves"
	}
	return "see it with runs show " + t.WorkflowID + "; the steps go on by themselves once the cause is gone"
}

// workerPatience is how long a worker that has just started may take to show itself.
const workerPatience = 3 * time.Second

func workerCheck(ctx context.Context, s *Session) Check {
	ctx, cancel := context.WithTimeout(ctx, workerPatience)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		check := lookForWorkers(context.WithoutCancel(ctx), s)
		if check.OK {
			return check
		}
		select {
		case <-ctx.Done():
			return check
		case <-ticker.C:
		}
	}
}

func lookForWorkers(ctx context.Context, s *Session) Check {
	queue, err := s.Temporal.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: s.Namespace, TaskQueue: &taskqueue.TaskQueue{Name: workflows.TaskQueue}, TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY,
	})
	if err != nil {
		return finding("workers", err, "", "set TEMPORAL_ADDRESS")
	}
	alive := map[string]bool{}
	for _, poller := range queue.GetPollers() {
		if time.Since(poller.GetLastAccessTime().AsTime()) < 2*time.Minute {
			alive[poller.GetIdentity()] = true
		}
	}
	if len(alive) == 0 {
		return Check{Name: "workers", Detail: "none polls the task queue " + workflows.TaskQueue, Remedy: "start one: worker"}
	}
	return Check{Name: "workers", OK: true, Detail: term.Plural(len(alive), "worker polls", "workers poll") + " the task queue " + workflows.TaskQueue}
}

// APIChecks asks the Convilyn API for its health and for what it converts.
func APIChecks(ctx context.Context, cfg config.Config) []Check {
	if cfg.APIKey == "" {
		return []Check{{Name: "api", Detail: "no key", Remedy: "set CONVILYN_API_KEY or CONVILYN_API_KEY_FILE"}}
	}
	api, err := cfg.API(client.WithEventsURL(cfg.EventsURL))
	if err != nil {
		return []Check{finding("api", err, "", "correct CONVILYN_API_KEY, CONVILYN_BASE_URL or CONVILYN_WS_URL")}
	}
	err = api.Health(ctx)
	checks := []Check{finding("api", err, "healthy at "+cfg.BaseURL, apiRemedy(err))}
	for _, family := range []client.Family{client.FamilyDocument, client.FamilyImage, client.FamilyMedia} {
		checks = append(checks, routesCheck(ctx, api, family, checks))
	}
	return checks
}

// routesCheck names no fault that an earlier check of the API has named.
func routesCheck(ctx context.Context, api *client.Client, family client.Family, earlier []Check) Check {
	name := string(family) + " routes"
	if !earlier[0].OK {
		return Check{Name: name, NotLooked: true, Detail: "not looked at: the API is down"}
	}
	list, err := api.Support(ctx, family)
	check := finding(name, err, "", apiRemedy(err))
	if err == nil {
		check.Detail = term.Plural(len(list.Routes), "pair", "pairs")
		return check
	}
	for _, other := range earlier {
		if !other.OK && !other.NotLooked && other.Remedy == check.Remedy {
			return Check{Name: name, Detail: "the same fault as of " + other.Name}
		}
	}
	return check
}

// apiRemedy is what helps against a failed request; empty where there was none.
func apiRemedy(err error) string {
	var refusal *client.APIError
	var network *client.TransportError
	switch {
	case err == nil:
		return ""
	case client.IsAuth(err):
		return "check the key: CONVILYN_API_KEY or CONVILYN_API_KEY_FILE"
	case client.IsRateLimited(err):
		return "wait a moment; the service takes fewer requests than it gets"
	case client.IsNotFound(err):
		return "check CONVILYN_BASE_URL: there is no Convilyn API at this address"
	case errors.As(err, &refusal) && refusal.Status >= http.StatusInternalServerError:
		return "wait: the service, or a proxy in front of it, has a fault of its own; the key is not the cause"
	case errors.As(err, &refusal):
		return "ask whoever runs the service: it refuses the request"
	case errors.As(err, &network) && !network.Sent:
		return "check CONVILYN_BASE_URL, proxies and the network: nothing can be reached there"
	default:
		return "check CONVILYN_BASE_URL and what is in between: there was a connection, but no proper answer"
	}
}

func (e *Env) printChecks(checks []Check, asJSON bool) error {
	healthy := true
	for _, check := range checks {
		healthy = healthy && check.OK
		if asJSON {
			if err := e.printJSON(check); err != nil {
				return err
			}
			continue
		}
		mark, state := "ok  ", workflows.StateCompleted
		switch {
		case check.NotLooked:
			mark, state = "-   ", statusSkipped
		case !check.OK:
			mark, state = "FAIL", workflows.StateFailed
		}
		_, _ = fmt.Fprintf(e.Stdout, "%s  %-18s %s\n", e.paintOut(state, mark), check.Name, check.Detail)
		if check.Remedy != "" {
			_, _ = fmt.Fprintf(e.Stdout, "      %-18s remedy: %s\n", "", check.Remedy)
		}
	}
	if !healthy {
		return &Failure{Code: ExitAPI}
	}
	return nil
}

var engineList = list[Engine]{
	whole: []string{"ENGINE", "INSTALL"}, heading: []string{"ENGINE", "VERSION", "SERVES", "ALONE", "INSTALL"},
	cells: func(e Engine) []string {
		version, serves, alone, install := e.Version, term.Plural(e.Serves, "pair", "pairs"), strconv.Itoa(e.Adds), "-"
		switch {
		case !e.Found:
			version, serves, alone, install = "missing", "-", fmt.Sprintf("would add %d, help with %d", e.Adds, e.Routes-e.Adds), e.Install
		case version == "":
			version = "built in"
		}
		return []string{e.Name, term.Fold(version), serves, alone, install}
	},
}

// printEngines ends what doctor says: a missing engine is no fault.
func (e *Env) printEngines(ctx context.Context, asJSON bool) error {
	if e.Engines == nil {
		return nil
	}
	found := e.Engines(ctx)
	if len(found) == 0 {
		return nil
	}
	if !asJSON {
		_, _ = fmt.Fprintln(e.Stdout)
	}
	return printList(e, engineList, found, asJSON)
}
