package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/inbox/link"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// both takes a picture at the size of a desktop, and at that of a phone.
func both(name string) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, one := range []struct {
			suffix string
			size   step
		}{{"-phone", chromedp.EmulateViewport(380, 800)}, {"-desktop", chromedp.EmulateViewport(1280, 900)}} {
			for _, do := range []step{one.size, shoot(name + one.suffix)} {
				if _, err := do(ctx, target); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// An update replaces a part of the page. What has the focus keeps it, or the part stays as it is.
func TestBrowser_LiveUpdatesTakeNoFocus(t *testing.T) {
	page := browser(t)
	l := newLiveBench(t)
	fullInbox(l)
	server := httptest.NewServer(l.h)
	t.Cleanup(server.Close)
	run := l.add("w", redactorRun())
	change := chromedp.Func(func(context.Context, *chromedp.Target) error {
		l.temporal.Change(func() { run.Ledger[0].Note = "a change" })
		l.add("more", toneRun("One more"))
		l.tick()
		return nil
	})
	focused := func(query string) step { return holds(`document.activeElement.matches(` + query + `)`) }
	require.NoError(t, chromedp.Do(page,
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL), chromedp.WaitVisible(".card"), both("3.1-list"),
		chromedp.Focus(`a[href="/runs/done"]`), change, holds(`document.body.textContent.includes("One more") || document.body.textContent.includes("4 runs")`),
		focused("'a[href=\"/runs/done\"]'"),

		chromedp.Navigate(server.URL+"/runs/w"), chromedp.WaitVisible(".question"), both("3.2-answered"),
		chromedp.Focus(`input[value="label"]`), chromedp.Func(func(context.Context, *chromedp.Target) error {
			l.temporal.Change(func() { run.Labels = []string{"urgent"} })
			l.tick()
			return nil
		}), holds(`document.body.textContent.includes("urgent")`), focused("'input[value=\"label\"]'"),
	))
}

func TestBrowser_ARefusalStandsAtItsField(t *testing.T) {
	page := browser(t)
	l := newLiveBench(t)
	server := httptest.NewServer(l.h)
	t.Cleanup(server.Close)
	r := redactorRun()
	q := &r.Questions[0]
	r.Ledger[0].Verdict, r.Ledger[0].Reason = questions.VerdictInvalid, "the file has no page 9"
	q.Refused = &questions.Refusal{Reason: "the file has no page 9", Value: q.Given.Value, AnsweredBy: "Ada Lund", At: testNow}
	q.Answered, q.Given = false, nil
	l.add("w", r)
	require.NoError(t, chromedp.Do(page,
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL+"/runs/w"), chromedp.WaitVisible(".fault"), both("3.3-refused"),
		holds(`document.documentElement.scrollWidth <= innerWidth`),
		holds(`document.querySelectorAll("#q1 input:checked").length === 2`),
	))

	// The list says so, and neither it nor what was answered runs off a phone. An answer that never counted was not kept.
	l.temporal.Change(func() {
		r.Ledger = append(r.Ledger, questions.Receipt{
			AnswerID: "b", SlotID: q.SlotID, Verdict: questions.VerdictConflict, Reason: "another answer was given by Ada Lund first", AnsweredBy: strings.Repeat("somebody.with.a.long.name@", 3) + "example.org", Channel: "inbox", ReceivedAt: testNow,
		})
	})
	const fits = `document.documentElement.scrollWidth <= innerWidth && [...document.querySelectorAll(".scroll")].every(s => s.scrollWidth <= s.clientWidth)`
	require.NoError(t, chromedp.Do(page,
		chromedp.Navigate(server.URL), chromedp.WaitVisible(".card .refusal"), both("refused-list"),
		holds(`document.querySelector(".refusal").textContent === "The answer was refused: the file has no page 9"`),
		chromedp.Navigate(server.URL+"/runs/w"), chromedp.WaitVisible(".ledger"),
		holds(`(document.querySelector(".ledger").scrollIntoView(), true)`), both("refused-ledger"),
		holds(`![...document.querySelectorAll(".ledger td[data-of=Answer]")].some(td => td.textContent.trim() === "")`),
		chromedp.EmulateViewport(390, 844), holds(fits),
	))
}

func TestBrowser_ALostConnectionIsTold(t *testing.T) {
	page := browser(t)
	l := newLiveBench(t)
	l.add("w", redactorRun())
	server := httptest.NewServer(l.h)
	stale := func(text string) step {
		return holds(`document.querySelector("#stale").textContent.startsWith("` + text + `")`)
	}
	away := func(fault error) step {
		return chromedp.Func(func(context.Context, *chromedp.Target) error {
			l.temporal.Change(func() { l.temporal.Fault = fault })
			l.tick()
			return nil
		})
	}
	note := `document.querySelector("input[name=note]").value`
	require.NoError(t, chromedp.Do(page,
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL+"/runs/w"), chromedp.WaitVisible(".question"),
		chromedp.SendKeys("input[name=note]", "half a sentence"),
		away(errors.New("connection refused")), stale("Temporal does not answer. As of "), both("3.5-temporal"),
		away(nil), holds(`document.querySelector("#stale").textContent === ""`),

		chromedp.Func(func(context.Context, *chromedp.Target) error {
			l.Close()
			server.CloseClientConnections()
			server.Close()
			return nil
		}),
		stale("Connection to the inbox lost. As of "),
		chromedp.Click("button.primary"), holds(note+` === "half a sentence" && location.pathname === "/runs/w"`), both("3.5-lost"),
	))
}

func TestBrowser_LinksNoticeALostConnection(t *testing.T) {
	page := browser(t)
	l := newLiveBench(t, withToken)
	l.add("w", toneRun("Letter"))
	server := httptest.NewServer(l.h)
	note := `document.querySelector("input[name=note]").value`
	require.NoError(t, chromedp.Do(page,
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL+testLink(l.bench)), chromedp.WaitVisible(".question"),
		chromedp.SendKeys("input[name=note]", "half a sentence"),
		chromedp.Func(func(context.Context, *chromedp.Target) error {
			l.Close()
			server.CloseClientConnections()
			server.Close()
			return nil
		}),
		holds(`document.querySelector("#stale").textContent.startsWith("Connection to the inbox lost. As of ")`),
		chromedp.Click("button.primary"), holds(note+` === "half a sentence" && location.pathname.startsWith("/answer/")`), both("3.5-link-lost"),
	))
}

func TestBrowser_LinksNoticeThatSomebodyElseAnswered(t *testing.T) {
	page := browser(t)
	l := newLiveBench(t, withToken)
	r := l.add("w", toneRun("Letter"))
	server := httptest.NewServer(l.h)
	t.Cleanup(server.Close)
	require.NoError(t, chromedp.Do(page,
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL+testLink(l.bench)), chromedp.WaitVisible(".question"),
		chromedp.Func(func(context.Context, *chromedp.Target) error {
			l.temporal.Change(func() {
				r.Ledger = append(r.Ledger, questions.Receipt{AnswerID: "a", SlotID: "tone", Verdict: questions.VerdictAccepted, Value: json.RawMessage(`"formal"`), AnsweredBy: "Ada Lund", ReceivedAt: testNow, DeliveredAt: &testNow})
				r.Questions = nil
			})
			l.forget()
			l.tick()
			return nil
		}),
		holds(`document.querySelector("h1").textContent === "This question is closed"`), holds(`document.querySelector("form") === null`),
	))
}

func TestBrowser_LinksTellOfWhat(t *testing.T) {
	page := browser(t)
	b := newBench(t)
	server := httptest.NewServer(b.h)
	t.Cleanup(server.Close)
	r := redactorRun()
	r.Questions = r.Questions[1:]
	r.Questions[0].AskedAt, r.Questions[0].Round = testNow.Add(-3*time.Hour), 1
	b.add("w", r)
	at := func(key string) string {
		return server.URL + testLink(b, func(c *link.Claim) { c.SlotID, c.Key = "style", key })
	}
	require.NoError(t, chromedp.Do(page,
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(at("k1")), chromedp.WaitVisible(".question"), both("3.6-link"),
		chromedp.Click("button.primary"), chromedp.WaitVisible(".verdict.good"), holds(`document.querySelector("h1").textContent === "Your answer was taken"`), both("3.6-taken"),
		chromedp.Navigate(at("k2")), holds(`document.querySelector("h1").textContent === "This question is closed"`), both("3.6-late"),
	))
	require.Equal(t, http.StatusGone, b.get(testLink(b, func(c *link.Claim) { c.SlotID, c.Key = "style", "k2" })).Code)
}
