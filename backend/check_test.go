package backend_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/client/option"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// lossy makes HTML of Markdown without the last word.
func lossy(t *testing.T) *engines.Registry {
	t.Helper()
	return engines.NewRegistry(t.Context(), engines.Engine{
		Name: "lossy", Routes: []engines.Route{{Source: "md", Target: "html", Quality: engines.Exact}, {Source: "doc", Target: "txt", Quality: engines.Exact}},
		Convert: convertLossy,
	})
}

func TestCheck_ComparesBeforeResultsAreKept(t *testing.T) {
	service := testkit.StartService(t, func(c *backend.Config) { c.Registry = lossy(t) })
	for name, test := range map[string]struct {
		file, text, target, check string
		want                      *client.CheckResult
		warnings                  []string
		fails                     string
	}{
		"not asked for":  {"a.md", "one two three", "html", "", nil, []string{}, ""},
		"off":            {"a.md", "one two three", "html", "off", nil, []string{}, ""},
		"warn":           {"a.md", "one two three", "html", "warn", &client.CheckResult{Words: 3, Missing: 1, Losses: 1, Differences: []client.Difference{{Source: "one two three", Missing: []string{"three"}}}}, []string{"check: 1 of 3 words of the source is not in the output: three"}, ""},
		"fail":           {"a.md", "one two three", "html", "fail", nil, nil, "1 of 3 words of the source is not in the output: three"},
		"fail, no loss":  {"a.md", "one", "html", "fail", &client.CheckResult{Words: 1}, []string{}, ""},
		"cannot be read": {"a.doc", "one", "txt", "warn", &client.CheckResult{Skipped: "doc and txt have nothing in common that is compared"}, []string{}, ""},
		"fail, cannot be read": {"a.doc", "one", "txt", "fail", &client.CheckResult{Skipped: "doc and txt have nothing in common that is compared"}, []string{
			"check: not checked: doc and txt have nothing in common that is compared",
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := service.Client.Files.Upload(t.Context(), client.UploadParams{Name: test.file, Size: int64(len(test.text)), ContentType: "text/plain", Body: strings.NewReader(test.text)})
			require.NoError(t, err)
			params := client.CreateParams{FileID: file.FileID, SourceFormat: strings.TrimPrefix(filepath.Ext(test.file), "."), TargetFormat: test.target}
			if test.check != "" {
				params.Options = option.Values{option.NameCheck: test.check}
			}
			job, err := service.Client.Convert.CreateAndWait(t.Context(), params, client.WaitOptions{Interval: 200 * time.Millisecond, Timeout: testkit.Patience})
			if test.fails != "" {
				var failed *client.JobFailedError
				require.ErrorAs(t, err, &failed)
				assert.Equal(t, &client.JobError{Code: engines.CodeCheckFailed, Message: test.fails}, failed.Job.Error)
				assert.Empty(t, failed.Job.ResultFiles)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, job.Check)
			assert.Equal(t, test.warnings, job.Warnings)
		})
	}
}

func convertLossy(_ context.Context, in engines.Request) (engines.Result, error) {
	data, err := os.ReadFile(in.InputPath)
	if err != nil {
		return engines.Result{}, err
	}
	words := strings.Fields(string(data))
	path := filepath.Join(in.OutDir, "out")
	text := "<p>" + strings.Join(words[:max(1, len(words)-1)], " ")
	return engines.Result{Files: []engines.File{{Path: path, Filename: "a." + in.Target, Mimetype: "text/html"}}}, os.WriteFile(path, []byte(text), 0o600)
}
