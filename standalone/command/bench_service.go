package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/convilyn/convilyn-temporal/internal/cli"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/standalone/bench"
	"github.com/convilyn/convilyn-temporal/standalone/stack"
)

const benchServiceName = "bench-service"

// newBenchService is the other end of startService.
func newBenchService() *cobra.Command {
	return &cobra.Command{
		Use: benchServiceName + " DIR", Short: "The conversion service of bench", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return cli.APIError(serveBench(cmd.Context(), args[0], cmd.InOrStdin(), cmd.OutOrStdout()))
		},
	}
}

// serveBench runs a conversion service until in ends. It prints its address, and for each line of in what it has used.
func serveBench(ctx context.Context, dir string, in io.Reader, out io.Writer) error {
	// Ctrl-C reaches the whole group; the process that started this one ends it when it no longer needs it.
	ctx = context.WithoutCancel(ctx)
	cfg, err := config.Load(func(string) string { return "" })
	if err != nil {
		return err
	}
	var requests, transfers atomic.Int64
	o := stack.Options{Dir: dir, Config: cfg, Around: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				requests.Add(1)
			} else {
				transfers.Add(1)
			}
			next.ServeHTTP(w, r)
		})
	}}

	service, err := stack.OpenService(ctx, o, 0)
	if err != nil {
		return err
	}
	defer service.Close()

	if _, err := fmt.Fprintln(out, service.URL); err != nil {
		return err
	}
	lines, encoder := bufio.NewScanner(in), json.NewEncoder(out)
	for lines.Scan() {
		use := bench.ServiceUse{Requests: requests.Load(), Transfers: transfers.Load(), CPU: bench.CPU()}
		if err := encoder.Encode(use); err != nil {
			return err
		}
	}
	return lines.Err()
}

// benchService is a conversion service in a process of its own.
type benchService struct {
	url, key string

	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startService(ctx context.Context, dir string) (*benchService, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the service's folder: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start the conversion service: %w", err)
	}
	s := &benchService{process: exec.CommandContext(context.WithoutCancel(ctx), self, benchServiceName, dir)} //nolint:gosec // this very program
	s.process.Stderr = os.Stderr
	if s.in, err = s.process.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start the conversion service: %w", err)
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the conversion service: %w", err)
	}
	s.out = bufio.NewReader(out)
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("start the conversion service: %w", err)
	}
	url, err := s.out.ReadString('\n')
	if err == nil {
		s.url = strings.TrimSpace(url)
		s.key, err = stack.APIKey(dir)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the conversion service does not start: %w", err)
	}
	return s, nil
}

// use asks the service what it has used.
func (s *benchService) use() (bench.ServiceUse, error) {
	var use bench.ServiceUse
	_, err := fmt.Fprintln(s.in)
	if err == nil {
		var line []byte
		if line, err = s.out.ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, &use)
		}
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it has ended")
	}
	if err != nil {
		return use, fmt.Errorf("ask the conversion service: %w", err)
	}
	return use, nil
}

func (s *benchService) stop() {
	_ = s.in.Close()
	_ = s.process.Wait()
}
