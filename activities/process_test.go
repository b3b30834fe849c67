package activities

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// The test binary is also the processes that the tests look at from outside, and kill.
const (
	roleVariable = "CONVILYN_TEST_ROLE"
	roleService  = "service" // stands until its input ends
	roleWorker   = "worker"  // does what its input asks for, line by line
	answerMark   = "\x01"    // begins the lines that are answers, among those of the tests
)

// address is where a service is.
type address struct {
	URL string `json:"url"`
	Key string `json:"key"`
}

// order is a file that a worker shall convert; one that names a job is to be fetched only.
type order struct {
	Source string `json:"source,omitempty"`
	JobID  string `json:"job_id,omitempty"`
	Folder string `json:"folder"`
}

// done is what became of an order.
type done struct {
	Upload  UploadFileResult      `json:"upload"`
	Results DownloadResultsResult `json:"results"`
	Error   string                `json:"error,omitempty"`
}

// copying converts nothing: what goes up comes down.
func copying() engines.Engine {
	return engines.Engine{
		Name: "copying", Routes: []engines.Route{{Source: "md", Target: "txt"}},
		Convert: func(_ context.Context, in engines.Request) (engines.Result, error) {
			path := filepath.Join(in.OutDir, in.Stem+".txt")
			if err := copyFile(in.InputPath, path); err != nil {
				return engines.Result{}, err
			}
			return engines.Result{Files: []engines.File{{Path: path, Filename: in.Stem + ".txt", Mimetype: "text/plain"}}}, nil
		},
	}
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		_ = target.Close()
		return err
	}
	return target.Close()
}

// TestAsAnotherProcess is what the other process does; among the tests of this one it is nothing.
func TestAsAnotherProcess(t *testing.T) {
	switch os.Getenv(roleVariable) {
	case roleService:
		s := testkit.StartService(t, testkit.WithEngines(copying()))
		reply(t, address{URL: s.URL, Key: s.Key()})
		_, err := io.Copy(io.Discard, os.Stdin)
		require.NoError(t, err)
	case roleWorker:
		work(t)
	default:
		t.Skip("only in processes that other tests start")
	}
}

func work(t *testing.T) {
	t.Helper()
	in := json.NewDecoder(os.Stdin)
	var at address
	require.NoError(t, in.Decode(&at))
	c, err := client.New(at.URL, at.Key)
	require.NoError(t, err)
	defer c.CloseIdleConnections()
	b := &bench{steps: New(API{Files: c.Files, Convert: c.Convert, Support: c}, 0, nil)}
	var suite testsuite.WorkflowTestSuite
	b.env = suite.NewTestActivityEnvironment()
	b.env.RegisterActivity(b.steps)
	for {
		var o order
		if err := in.Decode(&o); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		reply(t, b.fulfil(t, o))
	}
}

func (b *bench) fulfil(t *testing.T, o order) done {
	t.Helper()
	var out done
	var err error
	if o.JobID == "" {
		out.Upload, err = run[UploadFileResult](t, b, b.steps.UploadFile, UploadFileInput{Source: testkit.FileURL(o.Source), Name: filepath.Base(o.Source)})
		if err == nil {
			var job CreateConversionResult
			job, err = run[CreateConversionResult](t, b, b.steps.CreateConversion, CreateConversionInput{FileID: out.Upload.FileID, SourceFormat: "md", TargetFormat: "txt"})
			o.JobID = job.JobID
		}
		if err == nil {
			_, err = run[AwaitConversionResult](t, b, b.steps.AwaitConversion, AwaitConversionInput{JobID: o.JobID})
		}
	}
	if err == nil {
		out.Results, err = run[DownloadResultsResult](t, b, b.steps.DownloadResults, DownloadResultsInput{
			JobID: o.JobID, To: Destination{Folder: testkit.FileURL(o.Folder), Stem: "out", Format: "txt", OnExist: OnExistOverwrite},
		})
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

func reply(t *testing.T, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	_, err = fmt.Fprintf(os.Stdout, "\n%s%s\n", answerMark, data)
	require.NoError(t, err)
}

// process is this test binary in another role.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// startProcess starts one; it ends with the test.
func startProcess(t *testing.T, role string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAsAnotherProcess$") // ended by its input, or killed
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &process{cmd: cmd, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return p
}

func (p *process) tell(t *testing.T, v any) {
	t.Helper()
	require.NoError(t, json.NewEncoder(p.in).Encode(v))
}

func (p *process) answer(t *testing.T, into any) {
	t.Helper()
	var seen []string
	for p.out.Scan() {
		if text, ok := strings.CutPrefix(p.out.Text(), answerMark); ok {
			require.NoError(t, json.Unmarshal([]byte(text), into))
			return
		}
		seen = append(seen, p.out.Text())
	}
	require.Fail(t, "the other process ended without an answer", strings.Join(seen, "\n"))
}

// memory is a process's resident memory in bytes: now, or the highest since it was forgotten.
func (p *process) memory(t *testing.T, field string) int64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(data), field+":")
	require.True(t, found, field)
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(t, err)
	return kib << 10
}

func (p *process) forgetPeak(t *testing.T) {
	t.Helper()
	require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0))
}
