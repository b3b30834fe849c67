package inbox

import (
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/activities"
	"github.com/convilyn/convilyn-temporal/client/slot"
	"github.com/convilyn/convilyn-temporal/internal/runs/runstest"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
	"github.com/convilyn/convilyn-temporal/workflows/questions"
)

// browser opens a page of its own, or skips where there is no Chromium.
func browser(t *testing.T) context.Context {
	t.Helper()
	testkit.SkipIfShort(t, "it starts a browser")
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CONVILYN_TEST_CHROMIUM") == "required" {
			t.Fatal("no chromium on the PATH, and CONVILYN_TEST_CHROMIUM says that one is required")
		}
		t.Skip("no chromium on the PATH: the page is not tried in a browser")
	}
	flags := append(append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...), chromedp.ExecPath(path),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		flags = append(flags, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx)) // the browser lives as long as the context of the first call
	return testkit.UntilTimeout(ctx, t)
}

type step = chromedp.Action[chromedp.Void]

// shoot keeps a picture where CONVILYN_TEST_SHOTS names a folder.
func shoot(name string) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		folder := os.Getenv("CONVILYN_TEST_SHOTS")
		if folder == "" {
			return nil
		}
		shot, err := chromedp.CaptureScreenshot()(ctx, target)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, name+".png"), shot, 0o600)
	})
}

func scheme(name string) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// holds waits until an expression is true in the page.
func holds(expression string) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Poll[bool](expression)(ctx, target)
		return err
	})
}

// swatch is a picture for a preview.
func swatch(w io.Writer) error {
	img := image.NewRGBA(image.Rect(0, 0, 320, 180))
	for y := range 180 {
		for x := range 320 {
			img.Set(x, y, color.RGBA{uint8(60 + x/3), uint8(110 + y/3), 170, 255})
		}
	}
	return png.Encode(w, img)
}

func fullInbox(l *liveBench) {
	sure := 0.82
	soon := testNow.Add(40 * time.Minute)
	for _, name := range []string{"Letter to Lindqvist", "Letter to Okafor", "Letter to Marini"} {
		l.add(name, toneRun(name))
	}
	l.add("bind-2026-11-24", &runstest.Run{
		Name: "Board papers, November", Goal: "goal_lane.document_binder",
		Questions: []questions.Question{
			{
				Slot: slot.Slot{
					SlotID: "order", Type: "multi_choice", Text: "In which order should the documents be bound?", Required: true,
					Options:   []activities.Option{{Value: "1", Label: "Minutes of October.docx"}, {Value: "2", Label: "Budget 2027.xlsx"}, {Value: "3", Label: "Agenda.pdf"}},
					Suggested: json.RawMessage(`["3","1","2"]`), Confidence: &sure,
				},
				For:      "Office of the board",
				Deadline: &soon, OnDeadline: questions.DeadlineDefault,
				AskedAt: testNow.Add(-26 * time.Hour),
			},
			{
				Slot: slot.Slot{
					SlotID: "cover", Type: "choice", Text: "Is this cover good?", Options: []activities.Option{{Value: "approve", Label: "Go on with it"}, {Value: "reject", Label: "Stop here"}},
					Previews: []activities.Preview{{ArtifactID: "cover", FileName: "cover.png", MimeType: "image/png"}},
				},
				AskedAt: testNow.Add(-25 * time.Hour),
			},
			{Slot: slot.Slot{SlotID: "title", Type: "text", Text: "What should the title page say?", Suggested: json.RawMessage(`"Board papers, November 2026"`)}, AskedAt: testNow.Add(-25 * time.Hour)},
		},
		Ledger: []questions.Receipt{{AnswerID: "a", SlotID: "paper", Value: json.RawMessage(`"A4"`), Verdict: questions.VerdictAccepted, AnsweredBy: "Ada Lund", Channel: "link", ReceivedAt: testNow.Add(-27 * time.Hour)}},
	})
	l.add("c1", conversion("annual-report.docx", "pdf", "AwaitConversion", 64))
	l.add("c2", conversion("survey-results.xlsx", "csv", "UploadFile", 12))
	l.add("done", ended(&runstest.Run{Name: "Contracts, Q3", Goal: "goal_lane.document_binder"}))
}

func TestInABrowser(t *testing.T) {
	ctx := browser(t)
	l := newLiveBench(t, func(c *Config) {
		c.Previews = func(context.Context, string, string) (io.ReadCloser, string, error) {
			from, to := io.Pipe()
			go func() { _ = to.CloseWithError(swatch(to)) }()
			return from, "image/png", nil
		}
	})
	server := httptest.NewServer(l.h)
	t.Cleanup(server.Close)
	fullInbox(l)
	minutesFirst := `document.querySelector(".order li:first-child label").textContent.includes("Minutes of October")`
	require.NoError(t, chromedp.Do(ctx,
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL), chromedp.WaitVisible(".card"), shoot("list-desktop"),
		scheme("dark"), shoot("list-dark"), scheme("light"),
		chromedp.EmulateViewport(390, 844), shoot("list-phone"), chromedp.EmulateViewport(1280, 900),
		// the second question by the keyboard
		chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"), chromedp.WaitVisible(".card.current .cover:focus"), chromedp.KeyEvent(kb.Enter),
		chromedp.WaitVisible("form.answers"), chromedp.WaitVisible(".order .move"), shoot("run-desktop"),
		scheme("dark"), shoot("run-dark"), scheme("light"), chromedp.EmulateViewport(390, 844), shoot("run-phone"), chromedp.EmulateViewport(1280, 900),
		chromedp.Click(".order li:first-child button[aria-label$=down]"),
		holds(minutesFirst),
	))

	// what was picked stays when something changes elsewhere
	l.add("late", toneRun("Letter to Novak"))
	bind := l.run("bind-2026-11-24")
	l.temporal.Change(func() { bind.Questions[2].Text = "What should the first page say?" })
	l.tick()
	require.NoError(t, chromedp.Do(ctx,
		holds(`document.querySelector("#stale").textContent !== ""`), holds(minutesFirst),
		chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("1"),
		chromedp.WaitReady(`input[value=approve]:checked`),
		chromedp.SendKeys(`input[name=answered_by]`, "Ada Lund"), shoot("run-filled"),
		chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(kb.ModifierCtrl)),
		chromedp.WaitVisible(".verdict.good"), shoot("run-sent"),
	))
	ledger := bind.Ledger
	require.Len(t, ledger, 4)
	require.JSONEq(t, `["1","3","2"]`, string(ledger[1].Value))
	require.Equal(t, "Ada Lund", ledger[1].AnsweredBy)

	// the list follows by itself, a card leaving it
	require.NoError(t, chromedp.Do(ctx,
		chromedp.Navigate(server.URL), chromedp.WaitVisible(".card"), holds(`document.querySelectorAll(".card").length === 1`),
		chromedp.Navigate(server.URL+"/groups/key-tone"), chromedp.WaitVisible("form.answers"), shoot("group-desktop"),
		chromedp.Navigate(server.URL), chromedp.WaitVisible(".card")))
	for _, id := range []string{"Letter to Lindqvist", "Letter to Okafor", "Letter to Marini", "late"} {
		_, err := l.runs.Answer(ctx, id, questions.Answer{SlotID: "tone", Value: json.RawMessage(`"casual"`), AnswerID: id})
		require.NoError(t, err)
	}
	l.tick()
	require.NoError(t, chromedp.Do(ctx, chromedp.WaitNotPresent(".card"), chromedp.KeyEvent("?"), chromedp.WaitVisible("#help[open]"), shoot("list-empty-help")))

	link := testLink(l.bench)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(server.URL+link), chromedp.WaitVisible("h1"), shoot("link-closed")))
}

func withoutScripts(off bool) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: off})
		return err
	})
}

// TestRating_InABrowser: stars are radio buttons, picked with the keys of radio buttons, by their number, and without any script.
func TestRating_InABrowser(t *testing.T) {
	ctx := browser(t)
	l := newLiveBench(t)
	server := httptest.NewServer(l.h)
	t.Cleanup(server.Close)
	for _, id := range []string{"keys", "digits", "plain"} {
		stars := slot.Slot{SlotID: "rating", Type: slot.Rating, Text: "How many stars do the pictures get?"}
		length := slot.Slot{SlotID: "caption", Type: slot.Text, Text: "Which caption?", Required: true, Suggested: json.RawMessage(`"The harbour"`), Bounds: slot.Bounds{MaxLength: 80}}
		l.add(id, &runstest.Run{Name: "Harbour pictures", Goal: "goal_lane.image_set", Questions: []questions.Question{
			{Slot: stars, AskedAt: testNow.Add(-time.Hour)}, {Slot: length, AskedAt: testNow.Add(-time.Hour)},
		}})
	}
	star := func(n string) string { return `.star input[value="` + n + `"]` }
	send := chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(kb.ModifierCtrl))
	sent := chromedp.WaitVisible(".verdict.good")

	require.NoError(t, chromedp.Do(ctx,
		chromedp.EmulateViewport(1280, 900), chromedp.Navigate(server.URL+"/runs/keys"), chromedp.WaitVisible(".stars"), shoot("rating-empty"),
		chromedp.KeyEvent("j"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(" "), chromedp.WaitReady(star("1")+":checked"),
		chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight),
		chromedp.WaitReady(star("4")+":checked:focus-visible"), shoot("rating-desktop"),
		holds(`document.querySelector(".star:has(:checked)").textContent.includes("4 of 5")`),
		holds(`getComputedStyle(document.querySelector(".star:has(:focus-visible)")).outlineStyle === "solid"`),
		scheme("dark"), shoot("rating-dark"),
		chromedp.EmulateViewport(380, 800), shoot("rating-phone-dark"), scheme("light"), shoot("rating-phone"),
		holds(`document.documentElement.scrollWidth <= 380`),
		chromedp.EmulateViewport(1280, 900), send, sent,

		chromedp.Navigate(server.URL+"/runs/digits"), chromedp.WaitVisible(".stars"), chromedp.KeyEvent("2"), chromedp.WaitReady(star("2")+":checked"), send, sent,
		withoutScripts(true), chromedp.Navigate(server.URL+"/runs/plain"), chromedp.WaitVisible(".stars"),
		chromedp.Click(".star:nth-child(5)"), shoot("rating-no-script"), chromedp.Click("button.primary"), sent, withoutScripts(false),
	))
	for id, want := range map[string]string{"keys": "4", "digits": "2", "plain": "5"} {
		ledger := l.run(id).Ledger
		require.Len(t, ledger, 2, id)
		require.Equal(t, want, string(ledger[0].Value), id)
	}
}
