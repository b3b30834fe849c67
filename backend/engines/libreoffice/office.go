package libreoffice

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

const (
	// officeIdle is how long an office without work stays.
	officeIdle = 2 * time.Minute
	// officesResting bounds those that wait for work, of all owners.
	officesResting = 4
	// connectEvery is how often one that starts is called, and startTimeout how long.
	connectEvery = 10 * time.Millisecond
	startTimeout = time.Minute
)

var officeBounds = sandbox.Bounds{Uses: 200, Memory: 768 << 20}

// errNotConverted is a conversion that a running office did not do. A call of its own has to say why.
var errNotConverted = errors.New("the running office made no output")

// office is a LibreOffice that stays open between conversions of one owner, in a sandbox of its own. It is called as a
// second start of the program calls the first: by the socket on which that waits for command lines.
type office struct {
	*sandbox.Resident
	socket string
}

// startOffice comes back when it takes command lines. Where programs have no root of their own, its socket would be where
// others reach it, and there is none.
func startOffice(ctx context.Context) (*office, error) {
	if !sandbox.Rooted() {
		return nil, sandbox.ErrNotStarted
	}
	resident, err := sandbox.StartResident("office", officeBounds, func(home string) (sandbox.Command, error) {
		// With no document open it would end after its first conversion.
		keep := filepath.Join(home, "open.txt")
		if err := os.WriteFile(keep, nil, 0o600); err != nil {
			return sandbox.Command{}, fmt.Errorf("write a document for LibreOffice: %w", err)
		}
		return sandbox.Command{Name: soffice, Title: "LibreOffice", Home: home, Args: append(settings(home), keep)}, nil
	})
	if err != nil {
		return nil, err
	}

	o := &office{Resident: resident}
	go io.Copy(io.Discard, o.Out) //nolint:errcheck // it says no more than what it converts
	if err := o.Do(ctx, sandbox.Watch{}, o.find); err != nil {
		o.Discard()
		return nil, err
	}
	return o, nil
}

// settings are the arguments of every start: a profile of its own, and nothing that waits for a person.
func settings(home string) []string {
	return []string{"-env:UserInstallation=file://" + filepath.Join(home, "profile"), "--headless", "--norestore", "--nolockcheck"}
}

// find waits until an office that starts takes command lines. With a new profile the program starts itself a second time:
// its first socket goes without a word.
func (o *office) find(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(connectEvery)
	defer ticker.Stop()
	pattern := filepath.Join(o.Root(), "tmp", "OSL_PIPE_"+strconv.Itoa(os.Getuid())+"_SingleOfficeIPC_*")
	for {
		if found, err := filepath.Glob(pattern); err == nil && len(found) == 1 {
			o.socket = found[0]
			if line, err := o.dial(ctx); err == nil {
				return line.Close()
			}
		}
		select {
		case <-ticker.C:
		case <-o.Ended():
			return errors.New("LibreOffice ended as it started")
		case <-ctx.Done():
			return fmt.Errorf("wait for LibreOffice: %w", ctx.Err())
		}
	}
}

// convert does what a call of the program would do in a place.
func (o *office) convert(ctx context.Context, place *scratch.Place, filter string) error {
	defer o.End()
	input, made, err := o.Begin(place.Input)
	if err != nil {
		return err
	}
	err = o.Do(ctx, sandbox.Watch{}, func(ctx context.Context) error {
		return o.call(ctx, "--headless", "--convert-to", filter, "--outdir", made, input)
	})
	if err != nil {
		return err
	}

	into := filepath.Dir(place.Output)
	err = o.Collect(into)
	if _, missing := os.Lstat(place.Output); err == nil && missing != nil {
		err = errNotConverted
	}
	if err != nil { // the call that follows begins with nothing
		return errors.Join(err, os.RemoveAll(into))
	}
	return nil
}

// What is said on the socket; each ends with a zero byte.
const (
	ready     = "InternalIPC::SendArguments"
	arguments = "InternalIPC::Arguments" + "1" // 1: the folder that paths are relative to follows, as a URL
	processed = "InternalIPC::ProcessingDone"
)

// argument escapes what separates arguments.
var argument = strings.NewReplacer(`\`, `\\`, `,`, `\,`)

// line is a call that the office has answered.
type line struct {
	net.Conn
	replies *bufio.Reader
	hangUp  func() bool
}

func (o *office) dial(ctx context.Context) (*line, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", o.socket)
	if err != nil {
		return nil, fmt.Errorf("call LibreOffice: %w", err)
	}
	l := &line{Conn: conn, replies: bufio.NewReader(conn), hangUp: context.AfterFunc(ctx, func() { _ = conn.Close() })}
	if err := expect(l.replies, ready); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *line) Close() error {
	l.hangUp()
	return l.Conn.Close()
}

// call hands a command line over and waits until it is carried out.
func (o *office) call(ctx context.Context, args ...string) error {
	l, err := o.dial(ctx)
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // it was read to its end

	said := arguments + argument.Replace((&url.URL{Scheme: "file", Path: o.Home}).String())
	for _, arg := range args {
		said += "," + argument.Replace(arg)
	}
	if _, err := io.WriteString(l, said+"\x00"); err != nil {
		return fmt.Errorf("call LibreOffice: %w", err)
	}
	return expect(l.replies, processed)
}

// longestReply bounds what is read of an office, in bytes.
const longestReply = 64

func expect(r *bufio.Reader, want string) error {
	got := make([]byte, 0, longestReply)
	for {
		c, err := r.ReadByte()
		switch {
		case err != nil:
			return fmt.Errorf("hear from LibreOffice: %w", err)
		case c == 0 && string(got) == want:
			return nil
		case c == 0 || len(got) == longestReply:
			return fmt.Errorf("LibreOffice said %q and not %q", got, want)
		}
		got = append(got, c)
	}
}
