package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

const (
	// instances at once: each may hold a rendered page of hundreds of megabytes.
	maxInstances = 2
	// memory of one instance, in pages of 64 KiB: 512 MiB, for the document and one page of it. While it grows, this
	// process holds it twice.
	maxMemory = 512 << 20 >> 16
)

// runtime is PDFium, started with the first document.
type runtime struct {
	cacheDir string

	mu    sync.Mutex
	pool  pdfium.Pool
	cache wazero.CompilationCache
}

func (r *runtime) open() (pdfium.Pool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pool != nil {
		return r.pool, nil
	}
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(r.cacheDir, "wasm"))
	if err != nil {
		return nil, fmt.Errorf("open the cache of compiled code: %w", err)
	}
	pool, err := webassembly.Init(webassembly.Config{
		MinIdle: 0, MaxIdle: 1, MaxTotal: maxInstances,
		RuntimeConfig: wazero.NewRuntimeConfig().
			WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
			WithCompilationCache(cache).
			WithMemoryLimitPages(maxMemory).
			WithCloseOnContextDone(true), // or a page that draws for hours could not be stopped
		FSConfig: wazero.NewFSConfig(), // no file of this machine is its business
		Stdout:   io.Discard, Stderr: io.Discard,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start PDFium: %w", err), closeCache(cache))
	}
	r.pool, r.cache = pool, cache
	return pool, nil
}

func (r *runtime) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pool == nil {
		return nil
	}
	err := errors.Join(r.pool.Close(), closeCache(r.cache))
	r.pool, r.cache = nil, nil
	return err
}

func closeCache(cache wazero.CompilationCache) error { return cache.Close(context.Background()) }

// document is an open PDF in an instance of its own.
type document struct {
	instance pdfium.Pdfium
	ref      references.FPDF_DOCUMENT
	pages    []int // the chosen ones, from 1
	count    int

	layersOff bool // it has layers that are not shown
	utf8Units bool // some text was written in UTF-8 where UTF-16 belongs
}

func (d *document) page(number int) requests.Page {
	return requests.Page{ByIndex: &requests.PageByIndex{Document: d.ref, Index: number - 1}}
}

// reasonOf is an error of PDFium in one line. Where it gives up altogether, it leaves nothing but a trace.
func reasonOf(err error) string {
	text := err.Error()
	if strings.Contains(text, "wasm error") || strings.Contains(text, "panic") {
		return fmt.Sprintf("it is damaged, or takes more than %d MB of memory", maxMemory<<16>>20)
	}
	line, _, _ := strings.Cut(text, "\n")
	return fmt.Sprintf("%.200s", line)
}
