package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/convilyn/convilyn-temporal/internal/datafolder"
	"github.com/convilyn/convilyn-temporal/standalone/loopback"
)

// Port is a wish for a port. Its zero value takes that of the data folder, or any free one.
type Port struct {
	Usual int  // taken where it is free and the data folder has none; kept then, whichever it becomes
	Asked bool // Number is taken, 0 for any free one, or the stack does not start
	// Number is what was asked for.
	Number int
}

// Ports are those of a stack.
type Ports struct{ Temporal, UI, API, Inbox Port }

// PortError is a port that was asked for and is not to be had.
type PortError struct {
	Name string // as in ports.json
	Port int
	Err  error
}

func (e *PortError) Error() string {
	if e.Port < 0 || e.Port > math.MaxUint16 {
		return fmt.Sprintf("--%s-port %d is no port; name one from 1 to %d, or 0 for any free one", e.Name, e.Port, math.MaxUint16)
	}
	why := "is taken"
	if errors.Is(e.Err, fs.ErrPermission) {
		why = "is not for this user"
	}
	return fmt.Sprintf("port %d %s; name another one with --%s-port, 0 for any free one, or leave the flag out: %v", e.Port, why, e.Name, errors.Unwrap(e.Err))
}

func (e *PortError) Unwrap() error { return e.Err }

// places are ports that are held from their choice on, so that nobody else takes one.
type places struct {
	temporal, ui, api, inbox net.Listener
	differ                   []string // from the usual ones, for people
}

// choose takes the ports for a data folder, and keeps those that were chosen for it.
func (want Ports) choose(dir string) (places, error) {
	var p places
	kept := keptPorts(dir)
	keep := map[string]int{}
	for _, place := range []struct {
		name, what string
		port       Port
		listener   *net.Listener
	}{
		{"temporal", "Temporal", want.Temporal, &p.temporal},
		{"ui", "Temporal's page", want.UI, &p.ui},
		{"api", "the conversion service", want.API, &p.api},
		{"inbox", "the inbox", want.Inbox, &p.inbox},
	} {
		listener, err := place.port.listen(place.name, kept[place.name])
		if err != nil {
			p.close()
			return places{}, err
		}
		*place.listener = listener
		keep[place.name] = kept[place.name]
		if usual := place.port.Usual; usual != 0 && !place.port.Asked {
			keep[place.name] = loopback.Port(listener)
			if keep[place.name] != usual {
				p.differ = append(p.differ, fmt.Sprintf("%s is at port %d, not at the usual %d; this data folder keeps it, --%s-port names another",
					place.what, keep[place.name], usual, place.name))
			}
		}
	}
	return p, keepPorts(dir, kept, keep)
}

func (p Port) listen(name string, kept int) (net.Listener, error) {
	if p.Asked {
		listener, err := loopback.Listen(p.Number)
		if err != nil && p.Number != 0 {
			return nil, &PortError{Name: name, Port: p.Number, Err: err}
		}
		return listener, err
	}
	for _, port := range []int{kept, p.Usual} {
		if port == 0 {
			continue
		}
		if listener, err := loopback.Listen(port); err == nil {
			return listener, nil
		}
	}
	return loopback.Listen(0)
}

// close lets go of those that nobody serves yet. Those that somebody does are closed by then.
func (p places) close() {
	for _, listener := range []net.Listener{p.temporal, p.ui, p.api, p.inbox} {
		if listener != nil {
			_ = listener.Close()
		}
	}
}

// keptPorts are those of a data folder, by name; none where they cannot be read.
func keptPorts(dir string) map[string]int {
	kept := map[string]int{}
	data, err := os.ReadFile(filepath.Join(dir, datafolder.PortsFile)) //nolint:gosec // inside the data folder
	if err != nil || json.Unmarshal(data, &kept) != nil {
		return map[string]int{}
	}
	return kept
}

func keepPorts(dir string, was, now map[string]int) error {
	chosen := map[string]int{}
	same := true
	for name, port := range now {
		if port != 0 {
			chosen[name] = port
		}
		same = same && was[name] == port
	}
	if same {
		return nil
	}
	data, err := json.Marshal(chosen)
	if err == nil {
		err = renameio.WriteFile(filepath.Join(dir, datafolder.PortsFile), append(data, '\n'), fs.FileMode(0o600), renameio.WithTempDir(dir))
	}
	if err != nil {
		return fmt.Errorf("keep the ports: %w", err)
	}
	return nil
}
