package api_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/convilyn/convilyn-temporal/backend/api"
)

// The steps of a job are told however slowly its streams are read.
func TestEvents_DropsStreamThatNobodyReads(t *testing.T) {
	events := api.NewEvents(time.Now)
	gone := events.Lag("job")
	events.Step("another job", "a", true)
	select {
	case <-gone:
		t.Fatal("nothing has been said yet")
	default:
	}
	for i := range 200 {
		events.Step("job", strconv.Itoa(i), true)
		events.Step("job", strconv.Itoa(i), false)
	}
	<-gone
}
