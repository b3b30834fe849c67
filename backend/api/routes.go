package api

import (
	"fmt"
	"net/http"

	"github.com/convilyn/convilyn-temporal/client"
)

// API serves the routes under /api/v1, the event streams, and the storage under /storage.
type API struct {
	http.Handler

	key string
}

// New reads the keys, and makes them where there are none.
func New(cfg Config) (*API, error) {
	s := &server{cfg: cfg, store: cfg.Store, jobs: cfg.Jobs, goals: cfg.Goals, events: cfg.Events}
	var err error
	if s.keys, err = loadKeys(cfg.Keys, cfg.Store.Folder); err != nil {
		return nil, err
	}
	if s.signer, err = loadSigner(cfg.Store.Folder); err != nil {
		return nil, err
	}
	return &API{Handler: s.routes(), key: s.keys.first}, nil
}

// Key is a key that the API accepts.
func (a *API) Key() string { return a.key }

func (s *server) routes() http.Handler {
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
	var handler http.Handler = mux
	if s.cfg.Around != nil {
		handler = s.cfg.Around(mux)
	}
	return s.logged(mux, s.guarded(handler))
}

func (s *server) goalRoutes(mux *http.ServeMux, handle func(pattern string, h func(http.ResponseWriter, *http.Request) error)) {
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
