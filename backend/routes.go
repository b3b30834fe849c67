package backend

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/convilyn/convilyn-temporal/client"
)

// Storage routes of this service; the API hands them out as presigned URLs.
const (
	pathStorageUpload = "/storage/upload"
	pathStorageResult = "/storage/results/{job_id}/{index}"
	// pathStorageArtifact is where files of goal jobs are.
	pathStorageArtifact = "/storage/goals/{job_id}/{artifact_id}"
)

func (s *Service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+client.PathHealth, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, s.authorised(s.once(func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.fail(w, r, err)
			}
		})))
	}
	handle("POST "+client.PathUploadPresign, s.presign)
	handle("POST "+client.PathUploadConfirm, s.confirm)
	handle("GET "+client.PathFiles, s.listFiles)
	handle("DELETE "+client.PathFiles+"/{file_id}", s.deleteFile)
	handle("POST "+client.PathJobs, s.createJob)
	handle("GET "+client.PathJobs, s.listJobs)
	handle("GET "+client.PathJobs+"/{job_id}", s.getJob)
	for _, family := range []client.Family{client.FamilyDocument, client.FamilyImage, client.FamilyMedia} {
		handle("GET "+client.PathSupport(family), s.support(family))
	}
	s.goalRoutes(mux, handle)
	mux.HandleFunc("POST "+pathStorageUpload, s.storeUpload)
	mux.HandleFunc("GET "+pathStorageResult, s.serveResult)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("There is no %s %s here.", r.Method, r.URL.Path), nil)
	})
	return paced(s.logged(mux, s.guarded(s.cfg.Faults.around(mux))), paceWithin)
}

func (s *Service) goalRoutes(mux *http.ServeMux, handle func(pattern string, h func(http.ResponseWriter, *http.Request) error)) {
	job := client.PathGoals + "/{job_id}"
	mux.HandleFunc("GET "+client.PathCatalog, s.catalog)
	mux.HandleFunc("GET "+client.PathEvents, s.serveEvents)
	mux.HandleFunc("GET "+pathStorageArtifact, s.serveArtifact)
	handle("POST "+client.PathGoals, s.createGoal)
	handle("GET "+client.PathGoals, s.listGoals)
	handle("GET "+job, s.getGoal)
	handle("GET "+job+"/status", s.goalStatus)
	handle("PATCH "+job+"/slots", s.fillSlots)
	handle("POST "+job+"/confirm", s.confirmGoal)
	handle("POST "+job+"/cancel", s.cancelGoal)
	handle("POST "+job+"/retry", s.retryGoal)
	handle("GET "+job+"/artifacts", s.listArtifacts)
	handle("GET "+job+"/download", s.listArtifacts)
	handle("GET "+job+"/artifacts/{artifact_id}/download", s.linkArtifact)
}

// guarded turns a panic into a reply that tells nothing of the inside.
func (s *Service) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // the very value that net/http looks for
				panic(cause)
			}
			s.cfg.Logger.Error("a request panicked", zap.String("path", bounded(r.URL.Path)), zap.Any("cause", cause), zap.ByteString("stack", debug.Stack()))
			writeError(w, http.StatusInternalServerError, "INTERNAL", "The service failed; its log says why.", nil)
		}()
		next.ServeHTTP(w, r)
	})
}

// statusWriter remembers the status for the log.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// logged writes one line a request: the route's template, never the query, which may be a secret.
func (s *Service) logged(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			_, pattern := mux.Handler(r)
			s.cfg.Logger.Debug("request", zap.String("method", r.Method), zap.String("route", pattern),
				zap.Int("status", recorder.status), zap.Int64("duration_ms", time.Since(started).Milliseconds()))
		}()
		next.ServeHTTP(recorder, r)
	})
}

func (s *Service) logFailure(r *http.Request, err error) {
	s.cfg.Logger.Error("a request failed", zap.String("method", r.Method), zap.String("path", bounded(r.URL.Path)), zap.Error(err))
}
