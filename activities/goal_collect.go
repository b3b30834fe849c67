package activities

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/convilyn/convilyn-temporal/client"
)

// CollectArtifactsInput is a goal job with artifacts, and the folder for them.
type CollectArtifactsInput struct {
	JobSpecID string `json:"job_spec_id"`
	Folder    string `json:"folder"` // URL
	OnExist   string `json:"on_exist,omitempty"`
}

// CollectArtifactsResult is all artifacts of a job, the primary one first.
type CollectArtifactsResult struct {
	Outputs  []Output `json:"outputs"`
	Attempts int      `json:"attempts"`
}

// CollectArtifacts fetches every artifact of a goal job into part files, and puts them in place when all are
// whole. It is DownloadResults for the other lane, and resumes as that does.
func (a *Activities) CollectArtifacts(ctx context.Context, in CollectArtifactsInput) (CollectArtifactsResult, error) {
	work, attempt := startAttempt(ctx, StepCollect)
	defer attempt.end()
	outputs, err := a.collect(work, in, attempt)
	if err == nil {
		return CollectArtifactsResult{Outputs: outputs, Attempts: attemptOf(ctx)}, nil
	}
	return CollectArtifactsResult{}, attempt.failed(work, StepCollect, err)
}

func (a *Activities) collect(ctx context.Context, in CollectArtifactsInput, attempt *attempt) ([]Output, error) {
	folder, err := a.folder(in.Folder)
	if err != nil {
		return nil, err
	}
	artifacts, err := a.goals.Artifacts(ctx, in.JobSpecID)
	if err != nil {
		return nil, artifactError(in.JobSpecID, err)
	}
	files := make([]client.ResultFile, len(artifacts))
	for i, artifact := range primaryFirst(artifacts) {
		link, err := a.goals.ArtifactLink(ctx, in.JobSpecID, artifact.ArtifactID)
		if err != nil {
			return nil, artifactError(in.JobSpecID, err)
		}
		files[i] = client.ResultFile{Filename: artifact.FileName, Size: artifact.SizeBytes, Mimetype: artifact.MimeType, URL: link.URL}
	}
	if len(files) == 0 {
		return []Output{}, nil
	}
	out := results{folder: folder, names: artifactNames(files), onExist: in.OnExist}
	if out.root, err = a.open(folder, true); err != nil {
		return nil, err
	}
	defer out.root.Close() //nolint:errcheck // holds the folder only

	fetched, err := a.fetchAll(ctx, out.root, partPrefix(ctx, ""), in.JobSpecID, files, attempt)
	if err != nil {
		return nil, err
	}
	return out.place(fetched)
}

func artifactError(jobSpecID string, err error) error {
	var api *client.APIError
	if errors.As(err, &api) && api.Status == http.StatusNotFound {
		return resultsGone(jobSpecID)
	}
	return err
}

func primaryFirst(artifacts []client.Artifact) []client.Artifact {
	var first, rest []client.Artifact
	for _, artifact := range artifacts {
		if artifact.IsPrimary {
			first = append(first, artifact)
		} else {
			rest = append(rest, artifact)
		}
	}
	return append(first, rest...)
}

// artifactNames keeps the service's names as far as they are names: nothing leads out of the folder, and no two
// artifacts share one.
func artifactNames(files []client.ResultFile) []string {
	taken := map[string]bool{}
	names := make([]string, len(files))
	for i, file := range files {
		name := plainName(file.Filename)
		extension := filepath.Ext(name)
		stem := strings.TrimSuffix(name, extension)
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%s-%d%s", stem, n, extension)
		}
		taken[strings.ToLower(name)] = true
		names[i] = name
	}
	return names
}

const nameLimit = 200 // bytes; file systems allow 255

func plainName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return '_'
		}
		return r
	}, name)
	for len(name) > nameLimit {
		extension := filepath.Ext(name)
		if len(extension) > 20 {
			extension = ""
		}
		stem := []rune(strings.TrimSuffix(name, extension))
		name = string(stem[:len(stem)-1]) + extension
	}
	if trimmed := strings.TrimLeft(name, ". "); trimmed != "" {
		return trimmed
	}
	return "artifact"
}
