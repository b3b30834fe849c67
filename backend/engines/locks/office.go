package locks

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/xuri/excelize/v2"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/scratch"
	"github.com/convilyn/convilyn-temporal/client/option"
)

// excelsOwn is what Excel encrypts a workbook with whose structure alone is protected. It opens such a file without asking.
const excelsOwn = "VelvetSweatshop"

func openOffice(in engines.Request, password, to string) error {
	data, err := os.ReadFile(in.InputPath)
	if err != nil {
		return fmt.Errorf("read a locked document: %w", err)
	}
	tried := []string{excelsOwn}
	if password != "" {
		tried = []string{password, excelsOwn}
	}
	for _, each := range tried {
		plain, err := excelize.Decrypt(data, &excelize.Options{Password: each})
		if err != nil {
			continue // some are said to be wrong, others come out as noise
		}
		if plain, ok := isZip(plain); ok {
			return os.WriteFile(to, plain, 0o600) //nolint:gosec // a path of ours
		}
	}
	if password == "" {
		return scratch.Locked()
	}
	return scratch.WrongPassword()
}

// leastPackage is what the library encrypts rightly: it puts smaller ones where nobody finds them.
const leastPackage = 4096

func lockOffice(data []byte, password string) ([]byte, error) {
	data, err := enlarged(data)
	if err != nil {
		return nil, notLocked(err)
	}
	out, err := excelize.Encrypt(data, &excelize.Options{Password: password})
	if err != nil {
		return nil, notLocked(err)
	}
	return out, nil
}

// enlarged is a package of leastPackage bytes at least: its parts are stored as they are, with a comment where they are smaller.
func enlarged(data []byte) ([]byte, error) {
	if len(data) >= leastPackage {
		return data, nil
	}
	parts, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	stored := zip.NewWriter(&out)
	for _, file := range parts.File {
		part, err := readPart(file)
		if err != nil {
			return nil, err
		}
		w, err := stored.CreateHeader(&zip.FileHeader{Name: file.Name, Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(part); err != nil {
			return nil, err
		}
	}
	if err := stored.SetComment(strings.Repeat(" ", max(0, leastPackage-out.Len()))); err != nil {
		return nil, err
	}
	if err := stored.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// lockPDF encrypts by AES with 256 bits. Without a password for the owner nobody is one: whoever opens the document may do with
// it what they like.
func lockPDF(data []byte, passwords option.Values) ([]byte, error) {
	user, owner := passwords[option.NameEncrypt], passwords[option.NameOwner]
	conf := model.NewAESConfiguration(user, owner, 256)
	conf.ValidationMode = model.ValidationRelaxed
	conf.Permissions = model.PermissionsPrint
	if owner == "" {
		conf.OwnerPW, conf.Permissions = rand.Text(), model.PermissionsAll
	}
	var out bytes.Buffer
	if err := api.Encrypt(bytes.NewReader(data), &out, conf); err != nil {
		return nil, notLocked(err)
	}
	return out.Bytes(), nil
}
