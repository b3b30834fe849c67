package slot_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/convilyn/convilyn-temporal/client/slot"
)

// The redactor's options are hashes; nobody reads or types those.
func TestOffers_LabelsInPlaceOfIDs(t *testing.T) {
	s := slot.Slot{Type: slot.MultiChoice, Options: []slot.Option{
		{Value: "4f2a90c1d3e7", Label: "ann@example.com"},
		{Value: "00aa11bb22cc", Label: "+45 12 34 56 78"},
		{Value: "9e8d7c6b5a40", Label: "Main St 1, Kolding"},
		{Value: "file_77a1b2c3", Label: "report.pdf"},
		{Value: "file_88d4e5f6", Label: "report.pdf"},
		{Value: "blocks", Label: "black blocks"},
	}}
	assert.Equal(t, "ann@example.com, +45 12 34 56 78, 3 (Main St 1, Kolding), 4 (report.pdf), 5 (report.pdf), blocks", s.Offers())
	assert.Equal(t, "ann@example.com,3,blocks", s.Show(json.RawMessage(`["4f2a90c1d3e7","9e8d7c6b5a40","blocks"]`)))
	assert.Equal(t, "1-5", s.Numbers(json.RawMessage(`["4f2a90c1d3e7","00aa11bb22cc","9e8d7c6b5a40","file_77a1b2c3","file_88d4e5f6"]`)))
	assert.Equal(t, "2, 1, 6", s.Numbers(json.RawMessage(`["00aa11bb22cc","4f2a90c1d3e7","blocks"]`)))
	assert.Empty(t, s.Numbers(json.RawMessage(`["unknown"]`)))

	_, err := s.Parse("report.pdf")
	assert.EqualError(t, err, `"report.pdf" names several options; write the number of one: 4, 5`)
	_, err = s.Parse("9")
	assert.EqualError(t, err, "9 is not one of 1-6")
	_, err = s.Parse("1,1")
	assert.EqualError(t, err, `"ann@example.com" is chosen twice`)
	value, err := s.Parse("1-2, 6")
	assert.NoError(t, err)
	assert.JSONEq(t, `["4f2a90c1d3e7","00aa11bb22cc","blocks"]`, string(value))
}
