package childproc_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend"
	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/childproc"
	"github.com/convilyn/convilyn-temporal/backend/engines/text"
	"github.com/convilyn/convilyn-temporal/client"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const page = "# Ærø\n\nIts own *words*, and a table:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"

// BenchmarkService is jobs on small files by the service, from their creation to the end of the last.
func BenchmarkService(b *testing.B) {
	for name, where := range map[string]*childproc.Config{"in-process": nil, "child": service(b)} {
		b.Run(name, func(b *testing.B) {
			s := testkit.StartService(b, func(c *backend.Config) { c.Children = where })
			file, err := s.Client.Files.Upload(b.Context(), client.UploadParams{Name: "a.md", Size: int64(len(page)), ContentType: "text/markdown", Body: strings.NewReader(page)})
			require.NoError(b, err)
			b.ResetTimer()
			var jobs []string
			for range b.N {
				job, err := s.Client.Convert.Create(b.Context(), client.CreateParams{FileID: file.FileID, SourceFormat: "md", TargetFormat: "html"})
				require.NoError(b, err)
				jobs = append(jobs, job.JobID)
			}
			for _, id := range jobs {
				_, err := s.Client.Convert.Wait(b.Context(), id, client.WaitOptions{Interval: 200 * time.Millisecond})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "files/s")
		})
	}
}

// BenchmarkEngine is one small conversion alone.
func BenchmarkEngine(b *testing.B) {
	children := childproc.New(*service(b))
	b.Cleanup(children.Close)
	engine := text.New()
	for name, convert := range map[string]func(context.Context, engines.Request) (engines.Result, error){
		"in-process": engine.Convert,
		"child": func(ctx context.Context, in engines.Request) (engines.Result, error) {
			return children.Convert(ctx, engine.Name, in)
		},
	} {
		b.Run(name, func(b *testing.B) {
			in := engines.Request{
				Source: "md", Target: "html", InputPath: filepath.Join(b.TempDir(), "in"), OutDir: b.TempDir(), Stem: "out", Progress: func(int, string) {},
			}
			require.NoError(b, os.WriteFile(in.InputPath, []byte(page), 0o600))
			for b.Loop() {
				_, err := convert(b.Context(), in)
				require.NoError(b, err)
			}
		})
	}
}

// service is how to start a child with the service's engines.
func service(tb testing.TB) *childproc.Config {
	tb.Helper()
	self, err := os.Executable()
	require.NoError(tb, err)
	return &childproc.Config{Path: self, Args: []string{tb.TempDir()}, Env: []string{asChild + "=real"}, Dir: tb.TempDir(), Writes: []string{os.TempDir()}}
}
