package checks

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/contrib/envconfig"
	"gopkg.in/yaml.v3"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/config"
)

// composeFile is what these tests read of docker-compose.yml.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Secrets  map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
}

type composeService struct {
	Image       string                   `yaml:"image"`
	Build       *struct{ Target string } `yaml:"build"`
	Environment map[string]string        `yaml:"environment"`
	Secrets     []string                 `yaml:"secrets"`
	Command     []string                 `yaml:"command"`
	Ports       []string                 `yaml:"ports"`
	Restart     string                   `yaml:"restart"`
	Networks    []string                 `yaml:"networks"`
	HealthCheck *struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
}

func compose(t *testing.T) composeFile {
	t.Helper()
	var file composeFile
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &file))
	require.Greater(t, len(file.Services), 7)
	return file
}

// imageNames are those of docker-compose.yml and of the stages of the Dockerfile, with the place that names them.
func imageNames(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, service := range compose(t).Services {
		if service.Build == nil {
			out[service.Image] = name
		}
	}
	stages := map[string]bool{}
	for line := range strings.Lines(read(t, "Dockerfile")) {
		words := strings.Fields(line)
		if len(words) != 4 || words[0] != "FROM" {
			continue
		}
		if !stages[words[1]] {
			out[words[1]] = "Dockerfile"
		}
		stages[words[3]] = true
	}
	return out
}

func TestEveryImageIsPinned(t *testing.T) {
	pinned := regexp.MustCompile(`^[a-z/-]+:[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z]+)?$`)
	all := imageNames(t)
	assert.Len(t, all, 7)
	for image, at := range all {
		assert.Regexp(t, pinned, image, at)
	}
}

// What the modules, the tests and the images run is one and the same.
func TestImages_AreOfTheVersionsOfTheModules(t *testing.T) {
	mod := read(t, "standalone/go.mod")
	version := func(pattern string) string {
		found := regexp.MustCompile(pattern).FindStringSubmatch(mod)
		require.Len(t, found, 2, pattern)
		return found[1]
	}
	all := imageNames(t)
	server := version(`(?m)^\tgo\.temporal\.io/server v(\S+)`)
	assert.Contains(t, all, "golang:"+version(`(?m)^go (\S+)`)+"-bookworm")
	assert.Contains(t, all, "temporalio/server:"+server)
	assert.Contains(t, all, "temporalio/admin-tools:"+server)
	assert.Contains(t, all, "temporalio/ui:"+version(`(?m)^\tgithub\.com/temporalio/ui-server/v2 v(\S+)`))
}

// recorder remembers what envconfig looks for.
type recorder struct{ asked map[string]bool }

func (r recorder) Environ() []string { return nil }

func (r recorder) LookupEnv(name string) (string, bool) {
	r.asked[name] = true
	return "", false
}

// A variable that is misspelt would be passed over in silence.
func TestEveryVariableOfOursIsKnown(t *testing.T) {
	known := recorder{map[string]bool{}}
	_, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: known})
	require.NoError(t, err)
	require.True(t, known.asked["TEMPORAL_ADDRESS"])
	for _, variable := range config.Variables() {
		known.asked[variable.Name] = true
	}
	ours := 0
	for name, service := range compose(t).Services {
		if service.Build == nil {
			continue
		}
		ours++
		for variable := range service.Environment {
			assert.True(t, known.asked[variable], "%s: nothing reads %s", name, variable)
		}
		assert.Contains(t, read(t, "Dockerfile"), " AS "+service.Build.Target+"\n", name)
	}
	assert.Equal(t, 5, ours)
}

func TestSecretsComeByFile(t *testing.T) {
	file := compose(t)
	used := map[string]bool{}
	secret := regexp.MustCompile(`(?i)(key|secret|token|password|pwd|webhook)`)
	for name, service := range file.Services {
		for variable, value := range service.Environment {
			if !secret.MatchString(variable) {
				continue
			}
			assert.Regexp(t, `_FILE$`, variable, name)
			mounted, ok := strings.CutPrefix(value, "/run/secrets/")
			if value != "${"+variable+":-}" { // nothing, or what .env says
				assert.True(t, ok && assert.Contains(t, service.Secrets, mounted), "%s: %s", name, variable)
			}
		}
		for _, path := range regexp.MustCompile(`/run/secrets/\w+`).FindAllString(strings.Join(service.Command, " "), -1) {
			assert.Contains(t, service.Secrets, strings.TrimPrefix(path, "/run/secrets/"), name)
		}
		for _, secret := range service.Secrets {
			used[secret] = true
			assert.Equal(t, "./secrets/"+secret, file.Secrets[secret].File)
		}
	}
	assert.Len(t, used, len(file.Secrets))
	assert.Contains(t, read(t, ".gitignore"), "/secrets/\n")
}

// The worker's settings are what it takes as they stand: the service's host streams events in the clear because it is private.
func TestTheWorkerStreamsTheServicesEvents(t *testing.T) {
	set := compose(t).Services["worker"].Environment
	get := func(name string) string { // as without an .env
		_, value, found := strings.Cut(strings.TrimSuffix(set[name], "}"), "-")
		if !found {
			return set[name]
		}
		return value
	}
	assert.Equal(t, get("CONVILYN_BASE_URL")+client.PathEvents, "http"+strings.TrimPrefix(get("CONVILYN_WS_URL"), "ws"))
	for private, says := range map[string]string{get("CONVILYN_PRIVATE_HOST"): "", "false": "must be https"} {
		cfg := config.Config{APIKey: "ck_compose", BaseURL: get("CONVILYN_BASE_URL"), PrivateHost: private == "true"}
		_, err := cfg.API(client.WithEventsURL(get("CONVILYN_WS_URL")))
		if says == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, says)
		}
	}
}

func TestServicesAreKeptUpAndOpenToThisMachineAlone(t *testing.T) {
	kept := 0
	for name, service := range compose(t).Services {
		if service.Restart == "unless-stopped" {
			kept++
			assert.NotNil(t, service.HealthCheck, "%s: nobody sees when it hangs", name)
		}
		for _, port := range service.Ports {
			assert.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s: %s is open to the network", name, port)
		}
		if name != "postgresql" && name != "temporal" && name != "temporal-schema" {
			assert.NotContains(t, service.Networks, "database", name)
		}
	}
	assert.Equal(t, 6, kept)
}

// The script's secrets are what the programs take, only their owner reads them, and a second run changes none.
func TestSecretsAreMadeOnce(t *testing.T) {
	dir := t.TempDir()
	run := func(ctx context.Context) map[string]string {
		script, err := filepath.Abs(filepath.Join(root, "deploy", "secrets.sh"))
		require.NoError(t, err)
		out, err := exec.CommandContext(ctx, script, dir).CombinedOutput()
		require.NoError(t, err, string(out))
		made := map[string]string{}
		for name := range compose(t).Secrets {
			path := filepath.Join(dir, "secrets", name)
			info, err := os.Stat(path)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			made[name] = string(data)
		}
		return made
	}
	run(t.Context())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secrets", "webhook_url"), []byte("https://hooks.example/own"), 0o600)) // as its owner does
	first := run(t.Context())
	assert.Equal(t, first, run(t.Context()))
	different := map[string]bool{}
	for _, text := range first {
		different[text] = true
	}
	assert.Len(t, different, len(first))
	cfg, err := config.Load(func(name string) string {
		return map[string]string{
			"CONVILYN_API_KEY_FILE":        filepath.Join(dir, "secrets", "convilyn_api_key"),
			"CONVILYN_INBOX_TOKEN_FILE":    filepath.Join(dir, "secrets", "inbox_token"),
			"CONVILYN_INBOX_SECRET_FILE":   filepath.Join(dir, "secrets", "inbox_secret"),
			"CONVILYN_ENCRYPTION_KEY_FILE": filepath.Join(dir, "secrets", "encryption_keys"),
			"CONVILYN_WEBHOOK_URL_FILE":    filepath.Join(dir, "secrets", "webhook_url"),
			"CONVILYN_WEBHOOK_SECRET_FILE": filepath.Join(dir, "secrets", "webhook_secret"),
		}[name]
	})
	require.NoError(t, err)
	_, err = activities.NewNotifier(string(cfg.WebhookURL), string(cfg.WebhookSecret), nil)
	require.NoError(t, err)
}

// What the Dockerfile builds goes along into its context, and what is secret does not.
func TestTheBuildContextHoldsWhatIsBuilt(t *testing.T) {
	const module = "github.com/convilyn/convilyn-temporal/"
	along := map[string]bool{}
	for line := range strings.Lines(read(t, ".dockerignore")) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			along[name] = true
		}
	}
	build := regexp.MustCompile(`-o /out/ (.+)`).FindStringSubmatch(read(t, "Dockerfile"))
	require.Len(t, build, 2)
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps"}, strings.Fields(build[1])...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	ours := 0
	for line := range strings.Lines(string(out)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), module); ok {
			ours++
			folder, _, _ := strings.Cut(path, "/")
			assert.True(t, along[folder], "%s stays behind", path)
		}
	}
	assert.Greater(t, ours, 20)
	assert.True(t, along["go.mod"] && along["go.sum"])
	assert.False(t, along["secrets"] || along[".env"] || along["files"])
}

// Temporal's server asks for the name of its user; an id that its image does not know has one only in the environment. The
// topology, whose server asks the system, would not see that it is missing.
func TestCompose_NamesTheUserOfTemporal(t *testing.T) {
	assert.NotEmpty(t, compose(t).Services["temporal"].Environment["USER"])
}
