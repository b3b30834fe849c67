package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/workflows/goal"
)

func TestGoalFiles_OfOneNameAreToldApartByFolder(t *testing.T) {
	files := []goal.File{{Name: "report.pdf"}, {Name: "report.pdf"}, {Name: "report.pdf"}, {Name: "other.pdf"}}
	tellApart(files, []string{"/a/q1/report.pdf", "/a/q2/report.pdf", "/b/q2/report.pdf", "/a/other.pdf"})
	var names []string
	for _, file := range files {
		names = append(names, file.Name)
	}
	assert.Equal(t, []string{"report (q1).pdf", "report (q2).pdf", "report (q2 2).pdf", "other.pdf"}, names)
}
