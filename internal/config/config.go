// Package config reads the CONVILYN_* environment. Temporal's own connection settings (TEMPORAL_*,
// temporal.toml) are read by Temporal's envconfig.
package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/convilyn/convilyn-temporal/client"
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
	MaxActivities int           // at once, in one worker
	APIRate       float64       // requests per second of one worker, 0 for no limit
	PollInterval  time.Duration // first wait between two looks at a job
	HTTPAddr      string        // health and metrics; empty for none
	LogLevel      zapcore.Level
	LogFormat     string        // json or console
	StopTimeout   time.Duration // grace for running steps at shutdown
}

// Variable documents one environment variable.
type Variable struct {
	Name    string
	Default string
	Help    string
	set     func(c *Config, value string) error
}

// Variables lists every variable that Load reads, in the order of the README.
func Variables() []Variable {
	return []Variable{
		{"CONVILYN_API_KEY", "", "consumer key of the Convilyn API (ck_...)", func(c *Config, v string) error { c.APIKey = Secret(v); return nil }},
		{"CONVILYN_API_KEY_FILE", "", "file that holds the key, instead of CONVILYN_API_KEY", setKeyFile},
		{"CONVILYN_BASE_URL", client.DefaultBaseURL, "root of the Convilyn API, without /api/v1", func(c *Config, v string) error { c.BaseURL = strings.TrimRight(v, "/"); return nil }},
		{"CONVILYN_MAX_ACTIVITIES", "50", "steps that one worker runs at once", func(c *Config, v string) error { return setInt(&c.MaxActivities, v, 1, 1000) }},
		{"CONVILYN_API_RATE", "0", "API requests per second of one worker, 0 for no limit", setRate},
		{"CONVILYN_POLL_INTERVAL", "1s", "first wait between two looks at a job, 200ms at least", setPoll},
		{"CONVILYN_HTTP_ADDR", "127.0.0.1:9464", "address for /healthz, /readyz and /metrics, off for none", setAddr},
		{"CONVILYN_LOG_LEVEL", "info", "debug, info, warn or error", setLevel},
		{"CONVILYN_LOG_FORMAT", "json", "json or console", setFormat},
		{"CONVILYN_STOP_TIMEOUT", "30s", "grace for running steps when a worker stops", setStop},
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
	return c, errors.Join(faults...)
}

func setKeyFile(c *Config, path string) error {
	if c.APIKey != "" {
		return errors.New("set together with CONVILYN_API_KEY; keep one of them")
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	key := strings.TrimSpace(string(data))
	if key == "" {
		return fmt.Errorf("%s is empty; put the key into it", path)
	}
	c.APIKey = Secret(key)
	return nil
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
	if err != nil || rate < 0 || rate > 1e6 {
		return fmt.Errorf("%q is not a number of requests per second", value)
	}
	c.APIRate = rate
	return nil
}

func setPoll(c *Config, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < 200*time.Millisecond || d > time.Minute {
		return fmt.Errorf("%q is not a time from 200ms to 1m", value)
	}
	c.PollInterval = d
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
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Second || d > time.Hour {
		return fmt.Errorf("%q is not a duration from 1s to 1h", value)
	}
	c.StopTimeout = d
	return nil
}
