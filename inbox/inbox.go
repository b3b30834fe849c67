// Package inbox is the page where people answer questions of runs and watch runs. All state is Temporal's: it can be
// restarted at will, and several may run side by side if they share a secret.
package inbox

import (
	"context"
	"html/template"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	temporalclient "go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/internal/login"
	"github.com/convilyn/convilyn-temporal/internal/runs"
)

// Config is what an inbox needs.
type Config struct {
	Temporal  temporalclient.Client
	Namespace string
	Token     string // empty: only loopback clients under loopback names are served
	Local     bool   // with a token, too, only loopback clients under loopback names are served
	Secret    []byte // signs login cookies and answer links; at least 32 bytes
	Files     string // folder for uploads that workers can read; empty: file questions take file ids alone
	Shared    bool   // uploads are for workers of the same group, too, and not for those of the same user alone
	// Previews opens an artifact of a job and tells its media type; nil: there are no previews.
	Previews func(ctx context.Context, jobSpecID, artifactID string) (io.ReadCloser, string, error)
	// Documents opens a file of this machine that a question is about: a source, or what is held in a folder of outputs. Nil: such
	// questions name their files, and show none.
	Documents func(path string, held bool) (io.ReadCloser, error)
	// URL is the inbox as people reach it; empty where that is as it is served. Its path is stripped from requests that
	// have it, and is before the path of every link.
	URL        string
	TemporalUI string                      // root of Temporal's own page; empty: no links to it
	MaxUpload  int64                       // bytes of one sending; 100 MiB where 0
	Metrics    http.Handler                // for Prometheus, to who has the token; nil: none
	Ready      func(context.Context) error // why the inbox cannot serve; nil: it always can
	Notice     func() string               // what is above every page; empty for nothing; may be nil
	Logger     *zap.Logger
	Clock      func() time.Time
}

const (
	minSecret     = 32
	maxUploadDef  = 100 << 20
	lookWithin    = 4 * time.Second // after it Temporal is taken for away
	queryPatience = 5 * time.Second // a run that no worker answers for is shown from its memo
)

// Inbox serves the page and the API.
type Inbox struct {
	cfg       Config
	runs      *runs.Client
	pages     map[string]*template.Template
	hub       *hub
	gate      *login.Gate
	upgrader  websocket.Upgrader
	base      string // path of the URL, without a slash at its end
	origin    string // of the URL; may be empty
	patience  time.Duration
	snapshots snapshots
}

// snapshots keeps the last look at Temporal for a moment, so that many readers cost one look.
type snapshots struct {
	mu     sync.Mutex
	last   *snapshot
	fault  error                // of the look after it; nil where that came to one
	lost   time.Time            // when that was
	silent map[string]time.Time // batches and watches that did not answer, and when they were asked
}
