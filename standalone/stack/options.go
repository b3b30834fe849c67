package stack

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/faults"
	"github.com/convilyn/convilyn-temporal/backend/goals"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
	"github.com/convilyn/convilyn-temporal/internal/datafolder"
)

// Options say how to bring a stack up.
type Options struct {
	Dir    string         // the data folder
	Faults *faults.Faults // of the local service; nil for none
	Ports  Ports
	Stays  bool // it is brought up to stay, as by up: the stack of a command that ends is waited for, not joined
	Remote bool // convert by the API of Config, not by the local service
	Config config.Config
	Goals  []goals.Goal                    // of the local service; nil for all
	Around func(http.Handler) http.Handler // wraps the handler of the local service; may be nil
}

// LocalPoll is the first wait between two looks at a job of the local service. It is the contract's minimum: looking at a
// service in the same process costs nothing.
const LocalPoll = 200 * time.Millisecond

// ReadOptions reads the environment. dir is the data folder, empty for the default one; faultsFile is YAML with faults for
// the local service, empty for none. The local service does the work unless CONVILYN_BASE_URL names another API: a key alone
// must not send files away.
func ReadOptions(getenv func(string) string, dir, faultsFile string) (Options, error) {
	cfg, err := config.Load(getenv)
	if err != nil {
		return Options{}, err
	}

	o := Options{Config: cfg, Remote: getenv("CONVILYN_BASE_URL") != ""}
	if o.Remote && cfg.APIKey == "" {
		return o, fmt.Errorf("CONVILYN_BASE_URL is set to %s but there is no API key; set CONVILYN_API_KEY or CONVILYN_API_KEY_FILE", client.RedactURL(cfg.BaseURL))
	}
	if o.Remote && faultsFile != "" {
		return o, errors.New("--faults is for the local conversion service; unset CONVILYN_BASE_URL to use it")
	}
	if faultsFile != "" {
		if o.Faults, err = faults.Load(faultsFile); err != nil {
			return o, err
		}
	}

	if !o.Remote && getenv("CONVILYN_POLL_INTERVAL") == "" {
		o.Config.PollInterval = LocalPoll
	}
	if dir == "" {
		o.Dir, err = datafolder.Default(getenv)
	} else {
		o.Dir, err = filepath.Abs(dir)
	}
	return o, err
}

// EngineSettings are those of the local service, whose data is in dir.
func (o *Options) EngineSettings(dir string) backend.EngineSettings {
	return backend.EngineSettings{CacheDir: cacheFolder(dir), GotenbergURL: string(o.Config.GotenbergURL)}
}

// cacheFolder is shared by all data folders: what engines compile does not depend on data.
func cacheFolder(otherwise string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return otherwise
	}
	return filepath.Join(cache, "convilyn")
}
