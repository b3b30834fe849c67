package childproc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
)

// asChild makes the test binary a child: "hostile" converts by the engines below, "real" by the service's.
const asChild = "CONVILYN_TEST_AS_CHILD"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(asChild) {
	case "":
		m.Run()
		return
	case "hostile":
		err = childproc.Serve(context.Background(), os.Stdin, os.Stdout, childproc.Engines(hostileEngines()...)...)
	case "real":
		err = backend.ServeEngines(context.Background(), os.Args[1], os.Stdin, os.Stdout)
	case "mute":
		_, err = io.Copy(io.Discard, os.Stdin)
	case "babbles":
		_, err = fmt.Println("this is no reply") //nolint:forbidigo // this is a main
	case "parent":
		err = parent(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

func hostileEngines() []engines.Engine {
	var out []engines.Engine
	for name, convert := range map[string]func(in engines.Request) error{
		"polite":   func(in engines.Request) error { return os.WriteFile(result(in), []byte(in.Stem), 0o600) },
		"pid":      func(in engines.Request) error { return os.WriteFile(result(in), []byte(pid()), 0o600) },
		"refuses":  func(engines.Request) error { return refusal() },
		"fails":    func(engines.Request) error { return errors.New("the disk of the service is full") },
		"panics":   func(engines.Request) error { panic("poisoned") },
		"eats":     func(engines.Request) error { return eat() },
		"grabs":    func(engines.Request) error { return fmt.Errorf("%d bytes were to be had", len(make([]byte, 1<<40))) },
		"recurses": func(in engines.Request) error { return fmt.Errorf("%d", recurse(len(in.Stem))) },
		"spins":    func(engines.Request) error { return spin() },
		"writes":   write,
		"litters":  litter,
		"leaves":   func(engines.Request) error { os.Exit(7); return nil }, //nolint:forbidigo // this is a main
		"dials":    func(in engines.Request) error { return dial(in.Stem) },
		"waits":    wait,
		"deafens":  deafen,
		"keeps": func(in engines.Request) error {
			kept = full(100 << 20)
			return os.WriteFile(result(in), kept[:1], 0o600)
		},
	} {
		out = append(out, engines.Engine{Name: name, Convert: func(_ context.Context, in engines.Request) (engines.Result, error) {
			in.Progress(40, "half")
			if err := convert(in); err != nil {
				return engines.Result{}, err
			}
			return engines.Result{Files: []engines.File{{Path: result(in), Filename: in.Stem, Mimetype: "text/plain"}}, Warnings: []string{"best_effort: a bit"}}, nil
		}})
	}
	return out
}

// pid names this process for those outside of its namespace, as testkit.ProcessOf takes it.
func pid() string { return os.Getenv("CONVILYN_CALL") }

// deafen lets no further request in: this process reads from a pipe of its own from now on.
func deafen(in engines.Request) error {
	fds := make([]int, 2)
	if err := syscall.Pipe(fds); err != nil {
		return err
	}
	if err := syscall.Dup3(fds[0], 0, 0); err != nil {
		return err
	}
	return os.WriteFile(result(in), []byte(pid()), 0o600)
}

var kept []byte

func result(in engines.Request) string { return filepath.Join(in.OutDir, "result") }

func refusal() error {
	return &engines.Error{Code: engines.CodeUnsupportedInput, Message: "no", Reason: "WHY", SheetCount: 2, FaithfulTargets: []string{"txt"}}
}

func full(size int) []byte {
	block := make([]byte, size)
	for i := range block {
		block[i] = byte(i) | 1
	}
	return block
}

func eat() error {
	var all [][]byte
	for len(all) < 1<<16 {
		all = append(all, full(1<<20))
	}
	return fmt.Errorf("%d MB were to be had", len(all))
}

func recurse(depth int) int {
	if depth < 0 {
		return 0
	}
	return recurse(depth+1) + len(strconv.Itoa(depth))
}

// turns keeps spin from being optimised away.
var turns int

func spin() error {
	for {
		turns++
	}
}

func write(in engines.Request) error {
	file, err := os.Create(result(in))
	if err != nil {
		return err
	}
	for range 1 << 12 {
		if _, err := file.Write(make([]byte, 1<<20)); err != nil {
			return err
		}
	}
	return nil
}

func litter(in engines.Request) error {
	for i := range 1 << 12 {
		if err := os.WriteFile(filepath.Join(in.OutDir, strconv.Itoa(i)), make([]byte, 1<<20), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func dial(address string) error {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// wait says in its result's place that it waits.
func wait(in engines.Request) error {
	if err := os.WriteFile(result(in)+".new", []byte(pid()), 0o600); err != nil {
		return err
	}
	if err := os.Rename(result(in)+".new", result(in)); err != nil {
		return err
	}
	<-time.After(time.Minute)
	return errors.New("nobody ended it")
}

// parent has a child wait; the test kills this process meanwhile.
func parent(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	children := childproc.New(childproc.Config{Path: self, Env: []string{asChild + "=hostile"}, Dir: dir, Writes: []string{dir}})
	_, err = children.Convert(context.Background(), "waits", engines.Request{OutDir: dir, Progress: func(int, string) {}})
	return fmt.Errorf("it came back: %s", strings.TrimSpace(err.Error()))
}
