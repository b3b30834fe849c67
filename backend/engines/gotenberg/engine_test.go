package gotenberg_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/gotenberg"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

// stand answers by Gotenberg's documented routes: one file a form, index.html for pages, 400 for what it cannot
// read. The real server was not at hand.
func stand(t *testing.T, printed []byte) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"status":"up"}`) })
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "8.25.0") })
	convert := func(names ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			require.NoError(t, r.ParseMultipartForm(1<<20))
			files := r.MultipartForm.File["files"]
			if len(files) != 1 {
				http.Error(w, "Invalid form data: form file 'index.html' is required", http.StatusBadRequest)
				return
			}
			assert.Contains(t, names, files[0].Filename)
			file, err := files[0].Open()
			require.NoError(t, err)
			content, err := io.ReadAll(file)
			require.NoError(t, err)
			switch {
			case bytes.Contains(content, []byte("BROKEN")):
				http.Error(w, "LibreOffice failed to process a document: possible causes include malformed page ranges", http.StatusBadRequest)
			case bytes.Contains(content, []byte("SLOW")):
				http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
			case bytes.Contains(content, []byte("ODD")):
				_, _ = io.WriteString(w, "<html>a proxy's login page</html>")
			default:
				w.Header().Set("Content-Type", "application/pdf")
				_, _ = w.Write(printed)
			}
		}
	}
	mux.HandleFunc("POST /forms/chromium/convert/html", convert("index.html"))
	mux.HandleFunc("POST /forms/libreoffice/convert", convert("index.docx", "index.csv", "index.txt"))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestDocumentsArePrinted(t *testing.T) {
	printed := testkit.Examples(t, "brochure.pdf")
	engine := gotenberg.New(stand(t, printed).URL + "/")
	version, err := engine.Version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Gotenberg 8.25.0", version)
	for source, content := range map[string][]byte{"html": []byte("<p>page"), "docx": testkit.Examples(t, "letter.docx"), "csv": testkit.Examples(t, "people.csv")} {
		t.Run(source, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, source, "pdf", content)
			require.NoError(t, err, source)
			assert.Equal(t, printed, out.Data[0])
			assert.Equal(t, []string{"stem.pdf"}, out.Names)
		})
	}
	require.NoError(t, engine.Close())
}

func TestRefusals(t *testing.T) {
	engine := gotenberg.New(stand(t, nil).URL)
	for content, code := range map[string]string{
		"BROKEN": engines.CodeUnsupportedInput, "SLOW": engines.CodeConversionFailed, "ODD": engines.CodeConversionFailed, "": engines.CodeUnsupportedInput,
		"\x00\x01": engines.CodeUnsupportedInput, "empty reply": engines.CodeConversionFailed,
	} {
		out, err := testkit.Convert(t, engine, "txt", "pdf", []byte(content))
		e, ok := engines.AsError(err)
		require.True(t, ok, "%q: %v", content, err)
		assert.Equal(t, code, e.Code, "%q", content)
		assert.Empty(t, out.Data)
	}
}

// The address may hold a password, and errors end up in logs.
func TestTheAddressIsNotRepeated(t *testing.T) {
	server := stand(t, nil)
	address := strings.Replace(server.URL, "http://", "http://user:hush@", 1)
	server.Close()
	engine := gotenberg.New(address)
	_, err := engine.Version(t.Context())
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hush")
	_, err = testkit.Convert(t, engine, "txt", "pdf", []byte("text"))
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hush")
	for _, none := range []string{"", "gotenberg:3000", "ftp://host", "http://"} {
		_, err = gotenberg.New(none).Version(t.Context())
		require.ErrorContains(t, err, "CONVILYN_GOTENBERG_URL", none)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = gotenberg.New(stand(t, nil).URL).Version(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
