package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
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
	session, openErr := e.open(ctx)
	if openErr != nil {
		checks = append(checks, finding("temporal", openErr, "", "set TEMPORAL_ADDRESS, or use standalone"))
	} else {
		defer session.Close()
		checks = append(checks, temporalChecks(ctx, session)...)
	}
	if e.Checks != nil && session != nil {
		checks = append(checks, e.Checks(ctx, session)...)
	} else if err == nil {
		checks = append(checks, APIChecks(ctx, cfg)...)
	}
	healthy := e.printChecks(checks, asJSON)
	if err := e.printEngines(ctx, asJSON); err != nil {
		return err
	}
	return healthy
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
		finding("search attributes", temporalconn.CheckSearchAttributes(ctx, s.Temporal, s.Namespace), "all registered", "run: starter setup"),
	}
	return append(checks, sealingCheck(s.Keys), workerCheck(ctx, s))
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
	checks := []Check{finding("api", api.Health(ctx), "healthy at "+cfg.BaseURL, "check CONVILYN_BASE_URL and the network")}
	for _, family := range []client.Family{client.FamilyDocument, client.FamilyImage, client.FamilyMedia} {
		detail := ""
		list, err := api.Support(ctx, family)
		if err == nil {
			detail = term.Plural(len(list.Routes), "pair", "pairs")
		}
		checks = append(checks, finding(string(family)+" routes", err, detail, "check the key"))
	}
	return checks
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
		mark := "ok  "
		if !check.OK {
			mark = "FAIL"
		}
		_, _ = fmt.Fprintf(e.Stdout, "%s  %-18s %s\n", mark, check.Name, check.Detail)
		if check.Remedy != "" {
			_, _ = fmt.Fprintf(e.Stdout, "      %-18s remedy: %s\n", "", check.Remedy)
		}
	}
	if !healthy {
		return &Failure{Code: ExitAPI}
	}
	return nil
}

// versionWidth is what the table shows of a program's words about itself, in columns.
const versionWidth = 44

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
		return []string{e.Name, term.Cell(version, versionWidth), serves, alone, install}
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
