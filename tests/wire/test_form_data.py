import pytest

from sseproxy.errors import FieldTooLong, FormTooLong, MalformedForm
from sseproxy.wire.form_data import FormReader, boundary_of

_FORM = (
    b'--B\r\nContent-Disposition: form-data; name="Key"\r\n\r\nuser/\xc3\xbc\r\n'
    b'--B\r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/x\r\n\r\n'
    b"line\r\n--not a boundary\r\n\r\n--B\r\n"
    b'Content-Disposition: form-data; name="behind"\r\n\r\nx\r\n--B--\r\n'
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_a_form_is_the_same_however_it_was_cut(size: int) -> None:
    reader = FormReader("B", 1000)
    file = b""
    for start in range(0, len(_FORM), size):
        if not reader.ended:
            file += b"".join(reader.feed(_FORM[start : start + size]))
    reader.finish()

    assert file == b"line\r\n--not a boundary\r\n"
    assert reader.fields == [("Key", "user/ü"), ("empty", "")]
    assert (reader.file_name, reader.file_type) == ("a.txt", "text/x")


@pytest.mark.parametrize("last", [b"--not", b'name="file"', b"user/", b'name="Key"'])
def test_a_form_that_breaks_off_is_no_form(last: bytes) -> None:
    reader = FormReader("B", 1000)
    reader.feed(_FORM[: _FORM.index(last)])

    with pytest.raises(MalformedForm):
        reader.finish()


def test_what_is_no_form_is_refused() -> None:
    with pytest.raises(MalformedForm):
        FormReader("B", 1000).feed(b"xx--B\r\n\r\n")
    with pytest.raises(MalformedForm):
        FormReader("", 1000)


def test_fields_are_bounded_and_the_file_is_not() -> None:
    reader = FormReader("B", 20)
    assert b"".join(reader.feed(_FORM)) == b"line\r\n--not a boundary\r\n"

    with pytest.raises(FormTooLong):
        FormReader("B", 9).feed(_FORM)


def _field(name: str, value: str) -> bytes:
    return f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def _feed(reader: FormReader, form: bytes, size: int) -> None:
    for start in range(0, len(form), size):
        reader.feed(form[start : start + size])


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (_field("a", "x" * 60) + _field("b", "x" * 40), FormTooLong),
        (_field("a", "x" * 101), FieldTooLong),
        (_field("x" * 8193, ""), FieldTooLong),
        (_field("\u00fc" * 4097, ""), FieldTooLong),
        (_field("x" * 101, ""), FieldTooLong),
        (_field("x" * 20_000, ""), FormTooLong),
    ],
    ids=["together", "a value", "a name", "a name in bytes", "a short name", "a head"],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_fields_are_bounded_together_and_alone(form: bytes, error: type[FormTooLong], size: int) -> None:
    reader = FormReader("B", 100)

    with pytest.raises(FormTooLong) as refused:
        _feed(reader, form + b"--B--\r\n", size)

    assert type(refused.value) is error


def test_the_boundary_is_read_from_a_forms_type_alone() -> None:
    assert boundary_of('Multipart/Form-Data; boundary="a b"') == "a b"
    assert boundary_of("multipart/form-data") is None
    assert boundary_of("multipart/mixed; boundary=a") is None
