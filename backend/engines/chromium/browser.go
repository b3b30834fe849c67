package chromium

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines/sandbox"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
)

const (
	// browserIdle is how long a browser without work stays.
	browserIdle = 2 * time.Minute
	// browsersResting bounds those that wait for work, of all owners.
	browsersResting = 4
	// longestMessage bounds one message of a browser, in bytes.
	longestMessage = 16 << 20
	// maxLoaded bounds what is remembered of one page and its frames.
	maxLoaded = 10_000
	// chunk is how much of a print is taken at once, in bytes.
	chunk = 1 << 20
)

var browserBounds = sandbox.Bounds{Uses: 100, Memory: 768 << 20}

// browser is a Chromium that stays open between pages of one owner, in a sandbox of its own. It is driven by its DevTools
// protocol over a pipe, of which it sees descriptors 3 and 4.
type browser struct {
	*sandbox.Resident
	last    int
	loaded  map[string]bool // by the id that their opening was given
	replies *bufio.Reader
}

// piped starts a program whose descriptors 3 and 4 are our ends of its standard input and output.
const piped = `exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null`

// startBrowser comes back when it takes commands.
func startBrowser(ctx context.Context) (*browser, error) {
	var failed error
	for _, extra := range sandboxes() {
		b, err := launch(ctx, extra)
		if err == nil {
			return b, nil
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

func launch(ctx context.Context, extra []string) (*browser, error) {
	resident, err := sandbox.StartResident("browser", browserBounds, func(home string) (sandbox.Command, error) {
		args := slices.Concat([]string{"-c", piped, program}, extra, settings(home), []string{"--remote-debugging-pipe"})
		return sandbox.Command{Name: "sh", Title: program, Args: args, Home: home, Programs: []string{program}}, nil
	})
	if err != nil {
		return nil, err
	}

	b := &browser{Resident: resident, replies: bufio.NewReader(resident.Out)}
	err = b.Do(ctx, sandbox.Watch{}, func(context.Context) error { return b.call("Browser.getVersion", "", nil, nil) })
	if err != nil {
		b.Discard()
		return nil, err
	}
	return b, nil
}

// print prints an archive as a call of the program would do.
func (b *browser) print(ctx context.Context, place *scratch.Place, archive string) error {
	defer b.End()
	inside, _, err := b.Begin(archive)
	if err != nil {
		return err
	}
	output, err := os.OpenFile(place.Output, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make a file for the print: %w", err)
	}
	err = b.Do(ctx, sandbox.Watch{Folders: []string{place.Home}}, func(context.Context) error { return b.show(inside, output) })
	return errors.Join(err, output.Close())
}

// show opens an archive in a context of its own, which is gone afterwards, and prints it.
func (b *browser) show(archive string, output io.Writer) error {
	var page struct{ BrowserContextID, TargetID, SessionID string }
	if err := b.call("Target.createBrowserContext", "", nil, &page); err != nil {
		return err
	}
	target := map[string]any{"url": "about:blank", "browserContextId": page.BrowserContextID}
	if err := b.call("Target.createTarget", "", target, &page); err != nil {
		return err
	}
	if err := b.call("Target.attachToTarget", "", map[string]any{"targetId": page.TargetID, "flatten": true}, &page); err != nil {
		return err
	}

	if err := b.open(page.SessionID, archive); err != nil {
		return err
	}
	if err := b.printOpened(page.SessionID, output); err != nil {
		return err
	}
	return b.call("Target.disposeBrowserContext", "", map[string]any{"browserContextId": page.BrowserContextID}, nil)
}

func (b *browser) open(session, archive string) error {
	b.loaded = map[string]bool{}
	if err := b.call("Page.enable", session, nil, nil); err != nil {
		return err
	}
	if err := b.call("Page.setLifecycleEventsEnabled", session, map[string]any{"enabled": true}, nil); err != nil {
		return err
	}
	var opened struct{ ErrorText, LoaderID string }
	if err := b.call("Page.navigate", session, map[string]any{"url": "file://" + archive}, &opened); err != nil {
		return err
	}
	if opened.ErrorText != "" {
		return fmt.Errorf("open the page: %s", opened.ErrorText)
	}

	for !b.loaded[opened.LoaderID] { // the empty page of before has an end, too
		if _, err := b.next(); err != nil {
			return fmt.Errorf("wait for the page: %w", err)
		}
	}
	return nil
}

// printOpened asks for what --print-to-pdf with --no-pdf-header-footer asks for.
func (b *browser) printOpened(session string, output io.Writer) error {
	var made struct{ Stream string }
	err := b.call("Page.printToPDF", session, map[string]any{
		"printBackground": true, "preferCSSPageSize": true, "generateTaggedPDF": true, "transferMode": "ReturnAsStream",
	}, &made)
	if err != nil {
		return err
	}
	for {
		var part struct {
			Data          string
			Base64Encoded bool
			EOF           bool
		}
		if err := b.call("IO.read", session, map[string]any{"handle": made.Stream, "size": chunk}, &part); err != nil {
			return err
		}
		data := []byte(part.Data)
		if part.Base64Encoded {
			if data, err = base64.StdEncoding.DecodeString(part.Data); err != nil {
				return fmt.Errorf("read the print: %w", err)
			}
		}
		if _, err := output.Write(data); err != nil {
			return fmt.Errorf("write the print: %w", err)
		}
		if part.EOF {
			return nil
		}
	}
}

// message is one of the DevTools protocol, in both directions; a zero byte follows each.
type message struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// call gives a command and reads what it came to into out. Events on the way are passed over.
func (b *browser) call(method, session string, params, out any) error {
	b.last++
	line, err := json.Marshal(message{ID: b.last, Method: method, SessionID: session, Params: params})
	if err != nil {
		return fmt.Errorf("write %s down: %w", method, err)
	}
	if _, err := b.In.Write(append(line, 0)); err != nil {
		return fmt.Errorf("ask for %s: %w", method, err)
	}
	for {
		m, err := b.next()
		switch {
		case err != nil:
			return fmt.Errorf("wait for %s: %w", method, err)
		case m.ID != b.last:
			continue
		case m.Error != nil:
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		case out == nil:
			return nil
		}
		if err := json.Unmarshal(m.Result, out); err != nil {
			return fmt.Errorf("read the result of %s: %w", method, err)
		}
		return nil
	}
}

var errTooLong = errors.New("a message of the browser is too long")

func (b *browser) next() (message, error) {
	var line []byte
	for {
		part, err := b.replies.ReadSlice(0)
		line = append(line, part...)
		if len(line) > longestMessage {
			return message{}, errTooLong
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return message{}, err
		}
		var m message
		if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
			return message{}, fmt.Errorf("read a message: %w", err)
		}
		b.note(m)
		return m, nil
	}
}

// note keeps which documents have been loaded: that may be said before the reply to the command that opens them.
func (b *browser) note(m message) {
	params, ok := m.Params.(map[string]any)
	if !ok || m.Method != "Page.lifecycleEvent" || params["name"] != "load" {
		return
	}
	if id, ok := params["loaderId"].(string); ok && b.loaded != nil && len(b.loaded) < maxLoaded {
		b.loaded[id] = true
	}
}
