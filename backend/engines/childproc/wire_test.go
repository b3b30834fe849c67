package childproc

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// A member of Request that JSON does not carry would be lost on the way.
func TestAChildGetsTheWholeRequest(t *testing.T) {
	t.Parallel()
	in := engines.Request{
		Source: "md", Target: "pdf", InputPath: "/in", OutDir: "/out", Owner: "anna", Stem: "s", ImageQuality: 7, Preset: "high",
		Pages: engines.PageRange{{First: 2, Last: 3}}, Helped: true, Options: option.Values{option.NamePaper: "A5"}, Progress: func(int, string) {},
	}
	for i := range reflect.TypeFor[engines.Request]().NumField() {
		assert.False(t, reflect.ValueOf(in).Field(i).IsZero(), "%s is not tested", reflect.TypeFor[engines.Request]().Field(i).Name)
	}
	line, err := json.Marshal(in)
	require.NoError(t, err)
	got := engines.Request{Progress: in.Progress}
	require.NoError(t, json.Unmarshal(line, &got))
	assert.NotNil(t, got.Progress)
	in.Progress, got.Progress = nil, nil
	assert.Equal(t, in, got)
}
