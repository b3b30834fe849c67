// Package config reads the CONVILYN_* environment. Temporal's own connection settings (TEMPORAL_*,
// temporal.toml) are read by Temporal's envconfig.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/sealing"
)

// Secret is a value that never prints.
type Secret string

// Format hides the value from every fmt verb.
func (s Secret) Format(f fmt.State, _ rune) {
	if s != "" {
		_, _ = fmt.Fprint(f, "(secret)")
	}
}

// MarshalJSON hides the value.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"(secret)"`), nil }

// Config is what a worker and the commands need, apart from the connection to Temporal.
type Config struct {
	APIKey        Secret
	BaseURL       string
	PrivateHost   bool          // the host of BaseURL is one's own, without TLS
	EventsURL     string        // ws:// or wss://; empty for polling
	MaxActivities int           // at once, in one worker
	APIRate       float64       // requests per second of one worker, 0 for no limit
	PollInterval  time.Duration // first wait between two looks at a job
	HTTPAddr      string        // health and metrics; empty for none
	LogLevel      zapcore.Level
	LogFormat     string        // json or console
	Retention     time.Duration // of runs that have ended, in an embedded Temporal; 0: as it is
	StopTimeout   time.Duration // grace for running steps at shutdown
	Roots         []string      // folders that a worker may use, with all below them; all where there are none
	Ledger        string        // file that names more of them; of standalone
	State         string        // folder for the plans of batches; empty for beside their outputs
	WebhookURL    Secret        // where notifications go; receivers put secrets into such URLs
	WebhookSecret Secret
	InboxURL      string        // as people reach it, for answer links
	InboxToken    Secret        // lets people and systems into the inbox from elsewhere
	InboxSecret   Secret        // signs answer links and logins
	GotenbergURL  Secret        // of a server that prints documents for the local service; may hold a password
	Confirm       string        // auto or ask: how goals are confirmed; empty for auto at a local API and ask at any other
	Keys          *sealing.Keys // for payloads; nil where they stay plain
}

// EncryptionKeyFile names the file of keys; a flag of the same name stands for it.
const EncryptionKeyFile = "CONVILYN_ENCRYPTION_KEY_FILE"

// RootsFolders names the folders that a worker may use.
const RootsFolders = "CONVILYN_ROOTS"

// StateFolder names the folder for the plans of batches.
const StateFolder = "CONVILYN_STATE"

// State reads it alone; empty where none is named.
func State(getenv func(string) string) (string, error) {
	var c Config
	if value := strings.TrimSpace(getenv(StateFolder)); value != "" {
		if err := setState(&c, value); err != nil {
			return "", fmt.Errorf("%s: %w", StateFolder, err)
		}
	}
	return c.State, nil
}

// Variable documents one environment variable.
type Variable struct {
	Name    string
	Default string
	Help    string
	set     func(c *Config, value string) error
}

// Variables lists every variable that Load reads, in the order of docs/configuration.md.
func Variables() []Variable {
	return []Variable{
		{"CONVILYN_API_KEY", "", "consumer key of the Convilyn API (ck_...)", setAPIKey},
		{"CONVILYN_API_KEY_FILE", "", "file that holds the key, instead of CONVILYN_API_KEY", fromFile("CONVILYN_API_KEY", func(c *Config) Secret { return c.APIKey }, setAPIKey)},
		{"CONVILYN_BASE_URL", client.DefaultBaseURL, "root of the Convilyn API, without /api/v1", func(c *Config, v string) error { c.BaseURL = strings.TrimRight(v, "/"); return nil }},
		{"CONVILYN_PRIVATE_HOST", "false", "true: the host of the API is one's own, on a network of one's own, and may do without TLS", setPrivate},
		{"CONVILYN_WS_URL", "", "event stream of goals (wss://host/stage, ws:// at a private host); without it they are polled", setEventsURL},
		{"CONVILYN_MAX_ACTIVITIES", "50", "steps that one worker runs at once", func(c *Config, v string) error { return setInt(&c.MaxActivities, v, 1, 1000) }},
		{"CONVILYN_API_RATE", "0", "API requests per second of one worker, 0 for no limit", setRate},
		{"CONVILYN_POLL_INTERVAL", "1s", "first wait between two looks at a job, 200ms at least", setPoll},
		{"CONVILYN_CONFIRM", "", "auto or ask: whether goals, whose confirmation spends credits, wait for somebody's word; ask unless the API is local", setConfirm},
		{"CONVILYN_HTTP_ADDR", "127.0.0.1:9464", "address for /healthz, /readyz and /metrics, off for none", setAddr},
		{"CONVILYN_LOG_LEVEL", "info", "debug, info, warn or error", setLevel},
		{"CONVILYN_LOG_FORMAT", "json", "json or console", setFormat},
		{"CONVILYN_RETENTION", "", "standalone: how long its Temporal keeps runs that have ended, 1d at least; as it was where unset, 30d at first", setRetention},
		{"CONVILYN_STOP_TIMEOUT", "30s", "grace for running steps when a worker stops", setStop},
		{RootsFolders, "", "folders that workers may use with all below them, separated by colons; without it they may use all", setRoots},
		{StateFolder, "", "folder for the plans of running batches, the same for workers and starter; without it they are beside the outputs", setState},
		{"CONVILYN_WEBHOOK_URL", "", "where new questions, reminders and ends of goals are posted", setWebhook},
		{"CONVILYN_WEBHOOK_URL_FILE", "", "file that holds it, instead", fromFile("CONVILYN_WEBHOOK_URL", func(c *Config) Secret { return c.WebhookURL }, setWebhook)},
		{"CONVILYN_WEBHOOK_SECRET", "", "whsec_ and base64: signs them after the Standard Webhooks scheme", setWebhookSecret},
		{"CONVILYN_WEBHOOK_SECRET_FILE", "", "file that holds it, instead", fromFile("CONVILYN_WEBHOOK_SECRET", func(c *Config) Secret { return c.WebhookSecret }, setWebhookSecret)},
		{"CONVILYN_INBOX_URL", "", "the inbox as people reach it, for answer links in notifications", setInboxURL},
		{"CONVILYN_INBOX_TOKEN", "", "lets people into the inbox from elsewhere than this machine", setInboxToken},
		{"CONVILYN_INBOX_TOKEN_FILE", "", "file that holds it, instead", fromFile("CONVILYN_INBOX_TOKEN", func(c *Config) Secret { return c.InboxToken }, setInboxToken)},
		{"CONVILYN_INBOX_SECRET", "", "signs answer links and logins, the same for workers and inbox; 32 characters at least", setInboxSecret},
		{"CONVILYN_INBOX_SECRET_FILE", "", "file that holds it, instead", fromFile("CONVILYN_INBOX_SECRET", func(c *Config) Secret { return c.InboxSecret }, setInboxSecret)},
		{"CONVILYN_GOTENBERG_URL", "", "a Gotenberg server that the local service may print by (http://host:3000)", setGotenberg},
		{EncryptionKeyFile, "", "file of keys that payloads are encrypted with, the same for workers, starter and inbox", setKeys},
	}
}

// Load reads the environment over the defaults and reports every fault at once, each with its variable.
func Load(getenv func(string) string) (Config, error) {
	var c Config
	var faults []error
	for _, variable := range Variables() {
		value := strings.TrimSpace(getenv(variable.Name))
		if value == "" {
			value = variable.Default
		}
		if value == "" {
			continue
		}
		if err := variable.set(&c, value); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", variable.Name, err))
		}
	}
	if c.WebhookURL != "" && c.WebhookSecret == "" {
		faults = append(faults, errors.New("CONVILYN_WEBHOOK_URL: nothing would sign what is posted; set CONVILYN_WEBHOOK_SECRET or CONVILYN_WEBHOOK_SECRET_FILE"))
	}
	return c, errors.Join(faults...)
}

// fromFile reads a secret from the file that a variable names, where the secret's own variable is not set, and takes it as
// that one would.
func fromFile(variable string, held func(c *Config) Secret, set func(c *Config, value string) error) func(c *Config, path string) error {
	return func(c *Config, path string) error {
		if held(c) != "" {
			return fmt.Errorf("set together with %s; keep one of them", variable)
		}
		data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			var named *fs.PathError // whose path may be the secret itself, where the variable was mistaken for the other one
			if errors.As(err, &named) {
				err = named.Err
			}
			return fmt.Errorf("read the file that it names: %w", err)
		}
		secret := strings.TrimSpace(string(data))
		if secret == "" {
			return fmt.Errorf("%s is empty; put the secret into it", path)
		}
		return set(c, secret)
	}
}

func setAPIKey(c *Config, value string) error        { c.APIKey = Secret(value); return nil }
func setWebhookSecret(c *Config, value string) error { c.WebhookSecret = Secret(value); return nil }
func setInboxToken(c *Config, value string) error    { c.InboxToken = Secret(value); return nil }

func setPrivate(c *Config, value string) error {
	if value != "true" && value != "false" {
		return fmt.Errorf("%q is not true or false", value)
	}
	c.PrivateHost = value == "true"
	return nil
}

// API makes a client of the Convilyn API that is configured.
func (c Config) API(options ...client.Option) (*client.Client, error) {
	if c.PrivateHost {
		options = append(options, client.WithPrivateHost())
	}
	return client.New(c.BaseURL, string(c.APIKey), options...)
}

func setConfirm(c *Config, value string) error {
	if value != "auto" && value != "ask" {
		return fmt.Errorf("%q is not auto or ask", value)
	}
	c.Confirm = value
	return nil
}

func setRoots(c *Config, value string) error {
	for _, folder := range filepath.SplitList(value) {
		if !filepath.IsAbs(folder) {
			return fmt.Errorf("%q is not an absolute path", folder)
		}
		c.Roots = append(c.Roots, filepath.Clean(folder))
	}
	return nil
}

func setState(c *Config, value string) error {
	if !filepath.IsAbs(value) {
		return fmt.Errorf("%q is not an absolute path", value)
	}
	c.State = filepath.Clean(value)
	return nil
}

func setEventsURL(c *Config, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return errors.New("it is not a ws:// or wss:// URL")
	}
	c.EventsURL = value
	return nil
}

func setWebhook(c *Config, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("it is not an http:// or https:// URL")
	}
	c.WebhookURL = Secret(value)
	return nil
}

func setGotenberg(c *Config, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("it is not an http:// or https:// URL")
	}
	c.GotenbergURL = Secret(value)
	return nil
}

func setInboxURL(c *Config, value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("it is not an http:// or https:// URL")
	}
	c.InboxURL = strings.TrimRight(value, "/")
	return nil
}

// SecretMin is the shortest secret that signs something, in bytes.
const SecretMin = 32

func setInboxSecret(c *Config, value string) error {
	if len(value) < SecretMin {
		return fmt.Errorf("it has %d characters; %d are needed", len(value), SecretMin)
	}
	c.InboxSecret = Secret(value)
	return nil
}

func setKeys(c *Config, path string) (err error) {
	c.Keys, err = sealing.Load(path)
	return err
}

// Keys reads the file of keys alone; nil where none is named.
func Keys(getenv func(string) string) (*sealing.Keys, error) {
	path := strings.TrimSpace(getenv(EncryptionKeyFile))
	if path == "" {
		return nil, nil //nolint:nilnil // nil keys seal nothing
	}
	keys, err := sealing.Load(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", EncryptionKeyFile, err)
	}
	return keys, nil
}

func setInt(into *int, value string, low, high int) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return fmt.Errorf("%q is not a whole number from %d to %d", value, low, high)
	}
	*into = n
	return nil
}

func setRate(c *Config, value string) error {
	rate, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(rate) || rate < 0 || rate > 1e6 {
		return fmt.Errorf("%q is not a number of requests per second", value)
	}
	c.APIRate = rate
	return nil
}

func setPoll(c *Config, value string) error {
	d, err := ParseDuration(value)
	if err != nil || d < 200*time.Millisecond || d > time.Minute {
		return fmt.Errorf("%q is not a time from 200ms to 1m", value)
	}
	c.PollInterval = d
	return nil
}

func setRetention(c *Config, value string) error {
	d, err := ParseDuration(value)
	if err != nil || d < 24*time.Hour || d > 3650*24*time.Hour {
		return fmt.Errorf("%q is not a time from 1d to 3650d", value)
	}
	c.Retention = d
	return nil
}

func setAddr(c *Config, value string) error {
	if value == "off" {
		c.HTTPAddr = ""
		return nil
	}
	if _, _, err := net.SplitHostPort(value); err != nil {
		return fmt.Errorf("%q is not host:port or off", value)
	}
	c.HTTPAddr = value
	return nil
}

func setLevel(c *Config, value string) error {
	level, err := zapcore.ParseLevel(value)
	if err != nil || level > zapcore.ErrorLevel {
		return fmt.Errorf("%q is not debug, info, warn or error", value)
	}
	c.LogLevel = level
	return nil
}

func setFormat(c *Config, value string) error {
	if value != "json" && value != "console" {
		return fmt.Errorf("%q is not json or console", value)
	}
	c.LogFormat = value
	return nil
}

func setStop(c *Config, value string) error {
	d, err := ParseDuration(value)
	if err != nil || d < time.Second || d > time.Hour {
		return fmt.Errorf("%q is not a duration from 1s to 1h", value)
	}
	c.StopTimeout = d
	return nil
}
