package sandbox_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
)

// role makes the test binary one of the hostile programs below.
const role = "CONVILYN_TEST_ROLE"

func TestMain(m *testing.M) {
	if hostile, ok := roles[os.Getenv(role)]; ok {
		if err := hostile(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // this is a main
		}
		os.Exit(0) //nolint:forbidigo // this is a main
	}
	m.Run()
}

var roles = map[string]func(args []string) error{
	"eats":    func([]string) error { return eat() },
	"holds":   func([]string) error { return hold() },
	"shares":  func([]string) error { return eatTogether() },
	"spins":   func([]string) error { return spin() },
	"writes":  func([]string) error { return write("one") },
	"litters": func([]string) error { return litter() },
	"forks":   func(args []string) error { return fork(args) },
	"escapes": func(args []string) error { return escape(args[0]) },
	"waits":   func(args []string) error { return wait(args[0]) },
	"dials":   func(args []string) error { return dial(args[0]) },
	"parent":  func(args []string) error { return parent(args[0]) },
	"limits":  func([]string) error { return limits() },
	"lists":   list,
}

// eat holds ever more memory.
func eat() error {
	var all [][]byte
	for {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i) | 1
		}
		all = append(all, block)
		if len(all) > 1<<16 {
			return fmt.Errorf("%d MB were to be had", len(all))
		}
	}
}

// eatTogether has four children hold a bit less than the limit each.
func eatTogether() error {
	for range 4 {
		if err := again("holds").Start(); err != nil {
			return err
		}
	}
	<-time.After(time.Minute)
	return nil
}

// hold holds 100 MB.
func hold() error {
	block := make([]byte, 100<<20)
	for i := range block {
		block[i] = byte(i) | 1
	}
	<-time.After(time.Minute)
	return fmt.Errorf("%d bytes were held", len(bytes.TrimLeft(block, "x")))
}

// turns keeps spin from being optimised away.
var turns int

func spin() error {
	for {
		turns++
	}
}

func write(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for range 1 << 12 {
		if _, err := file.Write(block); err != nil {
			return err
		}
	}
	return nil
}

// litter writes ever more small files.
func litter() error {
	for i := range 1 << 12 {
		if err := os.WriteFile("file-"+strconv.Itoa(i), make([]byte, 1<<20), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func again(as string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), role+"="+as)
	return cmd
}

// fork starts ever more processes that wait. The first has its lock before the others come.
func fork(args []string) error {
	for i := range 1000 {
		if err := again("waits", args...).Start(); err != nil {
			return err
		}
		if i == 0 {
			await(args[0])
		}
	}
	<-time.After(time.Minute)
	return nil
}

// escape leaves a grandchild in a session of its own, whose parent is gone, and ends.
func escape(dir string) error {
	for _, name := range []string{"first", "second"} {
		cmd := again("waits", filepath.Join(dir, name))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			return err
		}
		await(filepath.Join(dir, name))
	}
	return nil
}

// await waits until a child has its lock.
func await(path string) {
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		<-time.After(time.Millisecond)
	}
}

// wait holds a lock on a file for as long as it lives.
func wait(path string) error {
	file, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	<-time.After(time.Minute)
	return file.Close()
}

func dial(address string) error {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// parent runs a program that waits; the test kills this process meanwhile.
func parent(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := sandbox.Start(sandbox.Command{Name: self, Home: dir, Args: []string{filepath.Join(dir, "lock")}, Env: []string{role + "=" + os.Args[2]}})
	if err != nil {
		return err
	}
	<-p.Ended()
	return nil
}

// limits prints what the process starts with.
func limits() error {
	data, err := os.ReadFile("/proc/self/limits")
	fmt.Print(string(data)) //nolint:forbidigo // this is a main
	return err
}

// list prints which folders can be read, with the test's files and the processes in them, and which can be written to.
func list(folders []string) error {
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			fmt.Println(folder, "unreadable") //nolint:forbidigo // this is a main
		}
		for _, entry := range entries {
			if _, err := strconv.Atoi(entry.Name()); err == nil || entry.Name() == "inside" {
				fmt.Println(filepath.Join(folder, entry.Name())) //nolint:forbidigo // this is a main
			}
		}
		if os.WriteFile(filepath.Join(folder, "written"), nil, 0o600) == nil {
			fmt.Println(folder, "writable") //nolint:forbidigo // this is a main
		}
	}
	return nil
}
