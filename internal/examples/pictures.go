package main

import (
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"

	"codeberg.org/go-pdf/fpdf"
)

// writePhoto paints an evening at sea: soft changes of colour, fine grain and one hard edge, as photographs have.
func writePhoto(path string) error {
	const width, height, horizon = 480, 320, 190
	grain := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same picture every time
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			picture.Set(x, y, shade(x, y, horizon, grain.Float64()*8-4))
		}
	}
	for y := horizon - 70; y < horizon+6; y++ { // a sail
		for x := 300; x < 300+(y-horizon+70)*2/3; x++ {
			picture.Set(x, y, color.RGBA{238, 232, 213, 255})
		}
	}
	file, err := os.Create(path) //nolint:gosec // fixed names
	if err != nil {
		return err
	}
	if err := png.Encode(file, picture); err != nil {
		return err
	}
	return file.Close()
}

func shade(x, y, horizon int, noise float64) color.RGBA {
	channel := func(v float64) uint8 { return uint8(math.Max(0, math.Min(255, v+noise))) }
	if y < horizon {
		t := float64(y) / float64(horizon)
		glow := 90 * math.Exp(-(math.Pow(float64(x)-150, 2)+math.Pow(float64(y)-150, 2))/6000)
		return color.RGBA{channel(40 + 190*t + glow), channel(50 + 90*t + glow*.8), channel(110 + 10*t + glow*.3), 255}
	}
	wave := 10 * math.Sin(float64(x)/9+float64(y*y)/300)
	t := float64(y-horizon) / 130
	return color.RGBA{channel(120 - 90*t + wave), channel(90 - 30*t + wave), channel(105 + wave), 255}
}

// writeBrochure makes two pages with text and shapes.
func writeBrochure(path string) error {
	doc := fpdf.New("P", "mm", "A4", "")
	doc.SetTitle("Sail with us", false)
	doc.SetAutoPageBreak(false, 0)
	doc.AddPage()
	doc.SetFillColor(20, 60, 110)
	doc.Rect(0, 0, 210, 90, "F")
	doc.SetTextColor(255, 255, 255)
	doc.SetFont("Helvetica", "B", 34)
	doc.Text(20, 50, "Sail with us")
	doc.SetFont("Helvetica", "", 16)
	doc.Text(20, 64, "The island ferry, since 1874")
	doc.SetTextColor(30, 30, 30)
	doc.SetFont("Helvetica", "", 12)
	doc.SetXY(20, 105)
	doc.MultiCell(170, 7, "Seventy-five minutes of open water, four times a day. Coffee is served on the upper deck; "+
		"dogs and bicycles are welcome.", "", "L", false)
	doc.AddPage()
	doc.SetFont("Helvetica", "B", 20)
	doc.Text(20, 30, "Departures")
	doc.SetFont("Helvetica", "", 12)
	for i, line := range []string{"05:40   10:15   15:30   19:45   from Svendborg", "07:05   11:40   16:55   21:10   from the island"} {
		doc.Text(20, 45+float64(i)*9, line)
	}
	doc.SetFillColor(200, 60, 40)
	doc.Polygon([]fpdf.PointType{{X: 60, Y: 200}, {X: 150, Y: 200}, {X: 130, Y: 225}, {X: 80, Y: 225}}, "F")
	doc.SetFillColor(240, 235, 215)
	doc.Polygon([]fpdf.PointType{{X: 103, Y: 110}, {X: 103, Y: 195}, {X: 148, Y: 195}}, "F")
	return doc.OutputFileAndClose(path)
}
