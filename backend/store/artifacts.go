package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/convilyn/convilyn-temporal/backend/goals"
)

// DescribeArtifact seals a file of a job's steps. Its id changes with its content, so that no old link shows a new file.
func (f Folder) DescribeArtifact(jobID string, file goals.File, position int) (Artifact, error) {
	stored, err := filepath.Rel(f.path(folderGoals, jobID), file.Path)
	if err != nil || !filepath.IsLocal(stored) {
		return Artifact{}, fmt.Errorf("the file %s lies outside the job's folder", file.Name)
	}
	size, sum, err := seal(file.Path)
	if err != nil {
		return Artifact{}, fmt.Errorf("keep %s: %w", file.Name, err)
	}

	id := sha256.Sum256([]byte(jobID + " " + strconv.Itoa(position) + " " + file.Name + " " + sum))
	return Artifact{
		ID: "art_" + hex.EncodeToString(id[:12]), Name: SafeName(file.Name), Mime: file.Mime, Type: file.Type, Description: file.Description,
		Primary: file.Primary, Size: size, SHA256: sum, Stored: stored,
	}, nil
}

// KeepArtifacts puts the files of the end into the job's artifacts folder, all of them or none.
func (f Folder) KeepArtifacts(jobID string, files []goals.File) ([]Artifact, error) {
	root := f.path(folderGoals, jobID)
	work, err := os.MkdirTemp(root, "."+folderArtifacts+"-*")
	if err != nil {
		return nil, fmt.Errorf("keep the artifacts: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // gone when it is renamed

	kept := make([]Artifact, len(files))
	for i, file := range files {
		if kept[i], err = f.DescribeArtifact(jobID, file, i); err != nil {
			return nil, err
		}
		name := strconv.Itoa(i)
		if err := linkOrCopy(file.Path, filepath.Join(work, name)); err != nil {
			return nil, fmt.Errorf("keep the artifacts: %w", err)
		}
		kept[i].Stored = filepath.Join(folderArtifacts, name)
	}

	final := filepath.Join(root, folderArtifacts)
	if err := errors.Join(syncFolder(work), os.RemoveAll(final), os.Rename(work, final), syncFolder(root), syncFolder(f.path(folderGoals))); err != nil {
		return nil, fmt.Errorf("keep the artifacts: %w", err)
	}
	return kept, nil
}

// DropSteps forgets what the steps of a goal job have made.
func (f Folder) DropSteps(jobID string) error {
	if err := os.RemoveAll(f.StepsPath(jobID)); err != nil {
		return fmt.Errorf("drop the steps: %w", err)
	}
	return nil
}
