package inbox

import (
	"io"
	"mime"
	"net/http"
	"slices"

	"github.com/convilyn/convilyn-temporal/activities"
)

// previewLimit bounds what is shown, in bytes.
const previewLimit = 20 << 20

// inlineTypes are shown in the page; everything else is handed out as a file.
var inlineTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

func shownInline(mimeType string) bool { return slices.Contains(inlineTypes, mimeType) }

// preview shows what a question of a run asks to look at: GET /previews/{id}/{artifact}.
func (in *Inbox) preview(w http.ResponseWriter, r *http.Request) error {
	return in.servePreview(w, r, r.PathValue("id"), "")
}

// servePreview serves an artifact that an open question shows; of one slot alone where slotID names it.
func (in *Inbox) servePreview(w http.ResponseWriter, r *http.Request, workflowID, slotID string) error {
	questions, err := in.board.Questions(r.Context(), workflowID)
	if err != nil {
		return err
	}
	shown := func(p activities.Preview) bool { return p.ArtifactID == r.PathValue("artifact") }
	for _, q := range questions {
		if i := slices.IndexFunc(q.Previews, shown); i >= 0 && (slotID == "" || q.SlotID == slotID) {
			return in.pipe(w, r, workflowID, q.Previews[i])
		}
	}
	return fault(http.StatusNotFound, "No open question shows this.")
}

func (in *Inbox) pipe(w http.ResponseWriter, r *http.Request, workflowID string, p activities.Preview) error {
	if in.cfg.Previews == nil {
		return fault(http.StatusNotFound, "This inbox cannot show previews; give it a key of the API (CONVILYN_API_KEY).")
	}
	status, err := in.board.Status(r.Context(), workflowID)
	if err != nil {
		return err
	}
	body, mimeType, err := in.cfg.Previews(r.Context(), status.JobSpecID, p.ArtifactID)
	if err != nil {
		return fault(http.StatusBadGateway, "The service does not hand the preview out at the moment.")
	}
	defer body.Close() //nolint:errcheck // read only
	kind, _, err := mime.ParseMediaType(mimeType)
	if err != nil || !shownInline(kind) {
		kind = "application/octet-stream"
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": safeName(p.FileName)}))
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "private, max-age=300")
	_, _ = io.Copy(w, io.LimitReader(body, previewLimit))
	return nil
}
