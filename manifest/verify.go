package manifest

import (
	"context"
	"fmt"
	"os"
)

// Mismatch is an output that is not what the report says.
type Mismatch struct {
	Source  string `json:"source"`
	Path    string `json:"path"`
	Problem string `json:"problem"`
}

// Verified counts what was looked at.
type Verified struct {
	Files   int   `json:"files"`
	Outputs int   `json:"outputs"`
	Bytes   int64 `json:"bytes"`
	Wrong   int   `json:"wrong"` // outputs
}

// Verify hashes every output that a report names.
func Verify(ctx context.Context, reportPath string, show func(Mismatch) error, progress func(done int)) (Verified, error) {
	var v Verified
	err := Lines(reportPath, func(line Line) error {
		v.Files++
		for _, output := range line.Outputs {
			v.Outputs++
			v.Bytes += output.Size
			if problem := output.problem(); problem != "" {
				v.Wrong++
				if err := show(Mismatch{Source: line.Source, Path: output.Path, Problem: problem}); err != nil {
					return err
				}
			}
		}
		if progress != nil {
			progress(v.Files)
		}
		return ctx.Err()
	})
	return v, err
}

func (o Output) problem() string {
	info, err := os.Lstat(o.Path)
	switch {
	case notThere(err):
		return "is missing"
	case err != nil:
		return err.Error()
	case !info.Mode().IsRegular():
		return "is no regular file"
	case info.Size() != o.Size:
		return fmt.Sprintf("has %d bytes; the report says %d", info.Size(), o.Size)
	}
	sum, err := hashFile(o.Path)
	switch {
	case err != nil:
		return err.Error()
	case sum != o.SHA256:
		return "its content has changed"
	}
	return ""
}
