package libreoffice

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// byMacro are the options that no argument of the program has: a macro opens the document, changes its pages and stores it.
var byMacro = []string{option.NamePassword, option.NamePaper, option.NameLandscape, option.NameMargins, option.NameScale}

func needsMacro(asked option.Values) bool {
	for _, name := range byMacro {
		if asked[name] != "" {
			return true
		}
	}
	return false
}

// oldOffice are the formats whose passwords LibreOffice alone takes off.
var oldOffice = []string{"doc", "xls", "ppt"}

// runMacro converts by a macro of a profile of its own, which says what is asked for: neither arguments nor environment do.
func runMacro(ctx context.Context, in engines.Request, place *scratch.Place) (said string, err error) {
	return callMacro(ctx, place, func(module string) string { return script(in, place, module) })
}

func callMacro(ctx context.Context, place *scratch.Place, script func(module string) string) (said string, err error) {
	user := filepath.Join(place.Home, "profile", "user")
	folder := filepath.Join(user, "basic", "Standard")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make a profile for LibreOffice: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(place.Output), 0o700); err != nil {
		return "", fmt.Errorf("make a folder for LibreOffice: %w", err)
	}
	module := filepath.Join(folder, "Work.xba")
	for path, text := range map[string]string{
		filepath.Join(user, "registrymodifications.xcu"): installed,
		filepath.Join(user, "basic", "script.xlc"):       libraries,
		filepath.Join(folder, "script.xlb"):              library,
		module:                                           moduleOf(script(module)),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("write a profile for LibreOffice: %w", err)
		}
	}
	defer os.Remove(module) //nolint:errcheck // the macro has removed it, where it has begun
	return place.Run(ctx, soffice, append(settings(place.Home), "macro:///Standard.Work.Main()"), nil)
}

// The files of a profile. One that is not installed yet would be filled with the files of an empty one.
const (
	xmlHead   = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	installed = xmlHead + `<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<item oor:path="/org.openoffice.Setup/Office"><prop oor:name="ooSetupInstCompleted" oor:op="fuse"><value>true</value></prop></item>
</oor:items>
`
	libraries = xmlHead + `<library:libraries xmlns:library="http://openoffice.org/2000/library" xmlns:xlink="http://www.w3.org/1999/xlink">
<library:library library:name="Standard" library:link="false"/>
</library:libraries>
`
	library = xmlHead + `<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" library:readonly="false" library:passwordprotected="false">
<library:element library:name="Work"/>
</library:library>
`
	moduleHead = xmlHead + `<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Work" script:language="StarBasic">`
	moduleEnd  = `</script:module>` + "\n"
)

func moduleOf(text string) string {
	var out strings.Builder
	out.WriteString(moduleHead)
	_ = xml.EscapeText(&out, []byte(text)) // a builder takes everything
	out.WriteString(moduleEnd)
	return out.String()
}

// stored are the filters that the macro stores by, as --convert-to finds them by itself.
var stored = map[string]map[string]string{
	"writer": {
		"pdf": "writer_pdf_Export", "docx": "MS Word 2007 XML", "odt": "writer8", "rtf": "Rich Text Format",
		"html": "HTML (StarWriter)", "txt": "Text (encoded)",
	},
	"calc": {
		"pdf": "calc_pdf_Export", "xlsx": "Calc MS Excel 2007 XML", "ods": "calc8", "csv": "Text - txt - csv (StarCalc)", "html": "HTML (StarCalc)",
	},
	"impress": {"pdf": "impress_pdf_Export", "pptx": "Impress MS PowerPoint 2007 XML", "odp": "impress8"},
}

func kindOf(source string) string {
	if kind := exporters[source]; kind != "" {
		return kind
	}
	return "writer"
}

// filterOptions are what is behind the name of a filter.
func filterOptions(in engines.Request) string {
	switch in.Target {
	case "txt":
		return "UTF8"
	case "csv", "html":
		_, options, _ := strings.Cut(strings.TrimPrefix(filter(in), in.Target+":"), ":")
		return options
	}
	return ""
}

// script is the macro, in Basic. All values are literals of it: it reads nothing but the document.
func script(in engines.Request, place *scratch.Place, module string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("Sub Main")
	line("On Error Goto Failed")
	line("Kill %s", literal(module))
	line("Dim opening(%d) As New com.sun.star.beans.PropertyValue", 3)
	for i, property := range []struct{ name, value string }{
		{"Hidden", "True"},
		{"MacroExecutionMode", "0"},
		{"UpdateDocMode", "0"},
		{"Password", literal(in.Options[option.NamePassword])},
	} {
		line("opening(%d).Name = %s", i, literal(property.name))
		line("opening(%d).Value = %s", i, property.value)
	}
	line("document = StarDesktop.loadComponentFromURL(%s, \"_blank\", 0, opening())", literal(fileURL(place.Input)))
	if kind := kindOf(in.Source); kind != "impress" {
		pages(line, in.Options, kind == "calc")
	}
	line("Dim saving(2) As New com.sun.star.beans.PropertyValue")
	line("saving(0).Name = \"FilterName\"")
	line("saving(0).Value = %s", literal(stored[kindOf(in.Source)][in.Target]))
	line("saving(1).Name = \"FilterOptions\"")
	line("saving(1).Value = %s", literal(filterOptions(in)))
	if level := strings.TrimSuffix(in.Options[option.NamePDFA], "b"); level != "" {
		line("Dim kind(0) As New com.sun.star.beans.PropertyValue")
		line("kind(0).Name = \"SelectPdfVersion\"")
		line("kind(0).Value = CLng(%s)", level)
		line("saving(2).Name = \"FilterData\"")
		line("saving(2).Value = kind()")
	}
	line("document.storeToURL(%s, saving())", literal(fileURL(place.Output)))
	line("document.close(True)")
	line("Failed:")
	line("StarDesktop.terminate()")
	line("End Sub")
	return b.String()
}

// pages changes all styles of pages. One that lies on its side stays so where nothing else is asked for.
func pages(line func(string, ...any), asked option.Values, sheets bool) {
	hundredths := func(mm float64) string { return strconv.Itoa(int(mm*100 + 0.5)) }
	line("styles = document.StyleFamilies.getByName(\"PageStyles\")")
	line("For i = 0 To styles.Count - 1")
	line("style = styles.getByIndex(i)")
	line("wide = style.Width > style.Height")
	line("along = style.Width")
	line("across = style.Height")
	if paper := asked[option.NamePaper]; paper != "" {
		width, height := option.PaperSize(paper)
		line("along = CLng(%s)", hundredths(width))
		line("across = CLng(%s)", hundredths(height))
		if width > height {
			line("wide = True")
		}
	}
	if landscape := asked[option.NameLandscape]; landscape != "" {
		line("wide = %s", map[string]string{"true": "True", "false": "False"}[landscape])
	}
	if asked[option.NamePaper] != "" || asked[option.NameLandscape] != "" {
		line("If wide <> (along > across) Then")
		line("turned = along")
		line("along = across")
		line("across = turned")
		line("End If")
		line("style.IsLandscape = wide")
		line("style.Width = along")
		line("style.Height = across")
	}
	if margins := asked[option.NameMargins]; margins != "" {
		four := option.FourLengths(margins)
		for i, side := range []string{"Top", "Right", "Bottom", "Left"} {
			line("style.%sMargin = CLng(%s)", side, hundredths(four[i]))
		}
	}
	if scale := asked[option.NameScale]; scale != "" && sheets {
		percent, _ := strconv.ParseFloat(scale, 64)
		line("style.ScaleToPages = 0")
		line("style.ScaleToPagesX = 0")
		line("style.ScaleToPagesY = 0")
		line("style.PageScale = %d", int(percent+0.5))
	}
	line("Next i")
}

// literal is a text in Basic, which ends with its line: neither options nor our paths have line breaks.
func literal(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }
