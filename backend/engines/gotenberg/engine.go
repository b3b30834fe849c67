// Package gotenberg prints documents by a Gotenberg server, where the service is given the address of one.
package gotenberg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/links"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/client"
)

const (
	checkTimeout = 5 * time.Second
	// maxPDF bounds what a server may answer with.
	maxPDF = 512 << 20
	// saidBytes is how much of a refusal is read.
	saidBytes = 1024
)

// path is the route that prints a format.
func path(source string) string {
	if source == "html" {
		return "/forms/chromium/convert/html"
	}
	return "/forms/libreoffice/convert"
}

type server struct {
	base *url.URL
	http *http.Client
}

// New is the engine of the server at address, http or https with the host root; empty for none, which only tells
// what one would add. The address may hold a password: no error repeats it.
func New(address string) engines.Engine {
	var routes []engines.Route
	for source := range strings.FieldsSeq("html doc docx odt rtf ppt pptx odp xls xlsx ods csv txt") {
		routes = append(routes, engines.Route{Source: source, Target: "pdf", Quality: engines.BestEffort})
	}
	s := server{http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if base, err := url.Parse(strings.TrimRight(address, "/")); err == nil && base.Host != "" && (base.Scheme == "http" || base.Scheme == "https") {
		s.base = base
	}
	return engines.Engine{
		Name: "gotenberg", Package: "a Gotenberg server (CONVILYN_GOTENBERG_URL)", Routes: routes, Convert: s.convert, Version: s.version,
		Close: func() error {
			s.http.CloseIdleConnections()
			return nil
		},
	}
}

func (s server) version(ctx context.Context) (string, error) {
	if s.base == nil {
		return "", errors.New("no server is named; set CONVILYN_GOTENBERG_URL to http://host:3000 or the like")
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	reply, err := s.send(ctx, http.MethodGet, "/health", nil, "")
	if err != nil {
		return "", err
	}
	closeBody(reply)
	if reply.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the Gotenberg server is not well: status %d", reply.StatusCode)
	}
	reply, err = s.send(ctx, http.MethodGet, "/version", nil, "")
	if err != nil {
		return "", err
	}
	defer closeBody(reply)
	said, err := io.ReadAll(io.LimitReader(reply.Body, saidBytes))
	if err != nil || reply.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the Gotenberg server told no version: status %d", reply.StatusCode)
	}
	return "Gotenberg " + strings.TrimSpace(string(said)), nil
}

func (s server) convert(ctx context.Context, in engines.Request) (engines.Result, error) {
	if len(in.Pages) > 0 {
		return engines.Result{}, engines.Errorf(engines.CodeInvalidParameters, "a page range is not possible for %s to %s", in.Source, in.Target)
	}
	if err := scratch.CheckMagic(in.InputPath, in.Source); err != nil {
		return engines.Result{}, err
	}
	// A copy: the server follows links, and it may reach what this machine does not.
	unlinked := filepath.Join(in.OutDir, "unlinked")
	defer os.Remove(unlinked) //nolint:errcheck // in the job's own folder
	found, err := links.Cut(ctx, in.InputPath, unlinked, in.Source)
	if err != nil {
		return engines.Result{}, err
	}
	in.InputPath = unlinked
	in.Progress(10, "Gotenberg")
	body, form := io.Pipe()
	parts := multipart.NewWriter(form)
	go func() { form.CloseWithError(write(parts, in)) }()
	reply, err := s.send(ctx, http.MethodPost, path(in.Source), body, parts.FormDataContentType())
	_ = body.Close() // ends the writer where the server did not read all
	if err != nil {
		return engines.Result{}, err
	}
	defer closeBody(reply)
	if reply.StatusCode != http.StatusOK {
		return engines.Result{}, refusal(reply)
	}
	result, err := keep(in, reply.Body)
	result.Warnings = append(links.Notes(found), result.Warnings...)
	return result, err
}

// write sends the one file under the name that the route asks for.
func write(parts *multipart.Writer, in engines.Request) error {
	file, err := os.Open(in.InputPath)
	if err != nil {
		return fmt.Errorf("open the input: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	part, err := parts.CreateFormFile("files", "index."+in.Source)
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	if _, err := io.Copy(part, file); err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	return parts.Close()
}

func (s server) send(ctx context.Context, method, path string, body io.Reader, contentType string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base.String()+path, body)
	if err != nil {
		return nil, errors.New("the address of the Gotenberg server is not one")
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	reply, err := s.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err // without the address
		}
		return nil, fmt.Errorf("ask the Gotenberg server: %w", err)
	}
	return reply, nil
}

// refusal tells a document that the server does not take from a server that cannot.
func refusal(reply *http.Response) error {
	if reply.StatusCode == http.StatusBadRequest {
		return engines.Errorf(engines.CodeUnsupportedInput, "the Gotenberg server does not take this file; it is damaged or not what its name says")
	}
	return engines.Errorf(engines.CodeConversionFailed, "the Gotenberg server answered with status %d", reply.StatusCode)
}

func keep(in engines.Request, body io.Reader) (engines.Result, error) {
	path := filepath.Join(in.OutDir, "result.pdf")
	file, err := os.Create(path) //nolint:gosec // the job's own folder
	if err != nil {
		return engines.Result{}, fmt.Errorf("create the output: %w", err)
	}
	size, err := io.Copy(file, io.LimitReader(body, maxPDF+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return engines.Result{}, fmt.Errorf("receive the PDF: %w", err)
	}
	if size > maxPDF {
		return engines.Result{}, engines.Errorf(engines.CodeConversionFailed, "the Gotenberg server's PDF is larger than %d MiB", maxPDF>>20)
	}
	if scratch.CheckMagic(path, "pdf") != nil {
		return engines.Result{}, engines.Errorf(engines.CodeConversionFailed, "the Gotenberg server made no pdf of this file")
	}
	return engines.Result{
		Files:    []engines.File{{Path: path, Filename: in.Stem + ".pdf", Mimetype: client.ContentType("pdf")}},
		Warnings: []string{"best_effort: the file was sent to the Gotenberg server, whose fonts decide how it looks"},
	}, nil
}

func closeBody(reply *http.Response) { _ = reply.Body.Close() } // read to its end, or of no more use
