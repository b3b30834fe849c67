package linked_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/internal/testkit/linked"
)

// Each office format has thirty documents at least, and no two are the same.
func TestDocuments(t *testing.T) {
	of, seen := map[string]int{}, map[string]string{}
	for _, document := range linked.Documents(t, "/nowhere/canaries") {
		assert.Empty(t, seen[document.Format+string(document.Data)], document.Name())
		seen[document.Format+string(document.Data)] = document.Name()
		of[document.Format]++
	}
	for _, format := range []string{"docx", "odt", "rtf", "ods", "xlsx", "odp", "pptx", "html", "epub"} {
		assert.GreaterOrEqual(t, of[format], 30, format)
	}
	t.Log(of)
}
