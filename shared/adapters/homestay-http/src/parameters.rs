use domain_coupon::Violations;
use platform_http::{Problem, Request, StatusCode, query};

/// The query parameters of a request, read one by one; what is wrong with them is told at once, not one by one.
///
/// A parameter that is empty counts as absent: that is what forms send of a field that was left alone. Others than those asked
/// for are not looked at.
pub(crate) struct Parameters<'a> {
    request: &'a Request,
    wrong: Vec<(&'static str, &'static str)>,
}

impl<'a> Parameters<'a> {
    pub fn of(request: &'a Request) -> Self {
        Self { request, wrong: Vec::new() }
    }

    /// As it was sent, without spaces around it. 400 if it was sent twice, or is longer than any parameter of ours.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, Problem> {
        let text = query::<String>(self.request, name)?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// What `parse` makes of it; if that is nothing, it is noted that it `must` be something else.
    pub fn get<T>(
        &mut self,
        name: &'static str,
        must: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let value = parse(&text);
        if value.is_none() {
            self.refuse(name, must);
        }
        Ok(value)
    }

    /// Notes that `name` is wrong.
    pub fn refuse(&mut self, name: &'static str, must: &'static str) {
        self.wrong.push((name, must));
    }

    /// 400 `invalid-parameter` with all that was noted.
    pub fn finish(self) -> Result<(), Problem> {
        if self.wrong.is_empty() { Ok(()) } else { Err(invalid_parameters(self.wrong)) }
    }
}

/// 400: parameters that are well-formed, but not sensible.
pub(crate) fn senseless(violations: &Violations) -> Problem {
    invalid_parameters(violations.iter().map(|violation| (violation.field, violation.must)))
}

fn invalid_parameters(wrong: impl IntoIterator<Item = (&'static str, &'static str)>) -> Problem {
    let problem =
        Problem::new(StatusCode::BAD_REQUEST, "invalid-parameter", "A query parameter is not valid");
    wrong.into_iter().fold(problem, |problem, (name, must)| problem.field(name, must))
}
