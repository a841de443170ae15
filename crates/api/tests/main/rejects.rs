//! Each value of each operation, as the OpenAPI document has it: what is wrong is refused, with the field and what to do.

use ::access::Role;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::access::{STRICT, call, documented, token, world};

/// The document, and what stands behind its references.
struct Book(Value);

impl Book {
    fn follow<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let to = schema.get("$ref").and_then(Value::as_str);
        to.map_or(schema, |to| self.0.pointer(to.trim_start_matches('#')).unwrap())
    }

    /// The form of a value; where it may be left out, of one that is there.
    fn form<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let some = schema.get("oneOf").and_then(Value::as_array);
        let some = some.and_then(|forms| forms.iter().find(|form| form["type"] != "null"));
        self.follow(some.unwrap_or(schema))
    }

    /// Something that is taken: what is wrong beside it must be told by itself.
    fn right(&self, name: &str, form: &Value) -> Value {
        if let Some(words) = form["enum"].as_array() {
            return words[0].clone();
        }
        match (name, form["type"].as_str()) {
            ("toml", _) => json!("networks = []"),
            ("rule" | "rules", _) => json!("dst 198.18.1.1/32 proto udp -> drop"),
            ("what" | "destination" | "prefix", _) => json!("198.18.1.1/32"),
            ("source", Some("string")) => json!("203.0.113.9/32"),
            ("role", _) => json!("viewer"),
            ("name" | "user", _) => json!("bob"),
            ("payload_sha256", _) => json!("0f".repeat(32)),
            ("password", _) => json!("correct horse battery"),
            (_, Some("integer")) => form["minimum"].as_i64().unwrap_or(1).into(),
            (_, Some("array")) => json!([]),
            (_, Some("object")) => json!({}),
            (_, Some("boolean")) => json!(true),
            _ => json!("why"),
        }
    }

    /// What no such value is.
    fn wrong(&self, form: &Value) -> Vec<Value> {
        let mut out = vec![json!({"no": "such"}), json!([[7]])];
        match form["type"].as_str() {
            Some("string") => {
                out.extend([json!(7), json!(true)]);
                if let Some(most) = form["maxLength"].as_u64() {
                    out.push(json!("x".repeat(usize::try_from(most).unwrap() * 5)));
                }
                if form["minLength"].as_u64().is_some_and(|least| least > 0) {
                    out.push(json!(""));
                }
                if form.get("pattern").is_some()
                    || form.get("enum").is_some()
                    || form["format"] == "ip-prefix"
                {
                    out.push(json!("\u{1}"));
                }
            }
            Some("integer" | "number") => {
                out.extend([json!("x"), json!(true), json!(-1), json!(1.5), json!(1e30)]);
                let bounds = [("minimum", -1), ("maximum", 1)];
                out.extend(bounds.iter().filter_map(|(key, by)| Some(json!(form[*key].as_i64()? + by))));
            }
            Some("boolean") => out.extend([json!("x"), json!(7)]),
            Some("array") => {
                out.extend([json!(7), json!("x")]);
                let item = self.form(&form["items"]);
                out.extend(self.wrong(item).into_iter().map(|one| json!([one])));
            }
            Some("object") => out = vec![json!(7), json!("x"), json!([])],
            _ => {}
        }
        out
    }
}

fn told(what: &str, field: &str, status: StatusCode, said: &Value) -> Option<String> {
    let (detail, hint) =
        (said["detail"].as_str().unwrap_or_default(), said["hint"].as_str().unwrap_or_default());
    let fine = status == StatusCode::BAD_REQUEST
        && said["status"] == 400
        && detail.contains(field)
        && !hint.is_empty()
        && !detail.contains('\n');
    (!fine).then(|| format!("{what}: {status}: {detail} | {hint}"))
}

#[tokio::test]
async fn every_field_of_every_document_is_refused_by_its_name_when_it_is_wrong() {
    let world = world("fields", STRICT);
    let admin = token(&world, "alice", Role::Admin, &[]);
    let book = Book(serde_json::to_value(api::openapi()).unwrap());
    let (mut tried, mut amiss) = (0, Vec::new());
    for (verb, path) in documented() {
        let at = format!(
            "/paths/{}/{}/requestBody/content/application~1json/schema",
            path.replace('/', "~1"),
            verb.to_lowercase()
        );
        let Some(schema) = book.0.pointer(&at) else { continue };
        let schema = book.follow(schema);
        let properties = schema["properties"].as_object().unwrap();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let whole: Map<String, Value> = required
            .iter()
            .map(|name| ((*name).to_owned(), book.right(name, book.form(&properties[*name]))))
            .collect();
        let to = path.replace("{id}", "1").replace("{name}", "nobody");
        for (name, property) in properties {
            let form = book.form(property);
            // whatever stands there is looked into by those who read it
            if form["type"] == "object" && form.get("properties").is_none() && name == "document" {
                continue;
            }
            for wrong in book.wrong(form) {
                // one form may be another one's: a prefix is an address, too
                let mut body = whole.clone();
                body.insert(name.clone(), wrong.clone());
                let (status, said) = call(&world, &verb, &to, &admin, Some(body.into())).await;
                let short: String = wrong.to_string().chars().take(40).collect();
                amiss.extend(told(&format!("{verb} {path} {name} = {short}"), name, status, &said));
                tried += 1;
            }
        }
        for name in &required {
            let mut body = whole.clone();
            body.remove(*name);
            let (status, said) = call(&world, &verb, &to, &admin, Some(body.into())).await;
            amiss.extend(told(&format!("{verb} {path} without {name}"), name, status, &said));
        }
        let mut body = whole.clone();
        body.insert("nosuch".to_owned(), json!(1));
        let (status, said) = call(&world, &verb, &to, &admin, Some(body.into())).await;
        amiss.extend(told(&format!("{verb} {path} with nosuch"), "nosuch", status, &said));
    }
    assert!(amiss.is_empty(), "{} of {tried}:\n{}", amiss.len(), amiss.join("\n"));
    assert!(tried > 500, "{tried}");
    assert!(world.hands.asked.lock().unwrap().is_empty(), "nothing was done");
}

#[tokio::test]
async fn every_parameter_behind_the_question_mark_is_refused_by_its_name_when_it_is_wrong() {
    let world = world("parameters", STRICT);
    let admin = token(&world, "alice", Role::Admin, &[]);
    let book = Book(serde_json::to_value(api::openapi()).unwrap());
    let (mut tried, mut amiss) = (0, Vec::new());
    for (verb, path) in documented() {
        let at = format!("/paths/{}/{}/parameters", path.replace('/', "~1"), verb.to_lowercase());
        let all: Vec<&Value> = book.0.pointer(&at).and_then(Value::as_array).into_iter().flatten().collect();
        let to = path.replace("{id}", "1").replace("{name}", "nobody").replace("{index}", "0");
        let queries = all.iter().filter(|one| one["in"] == "query");
        for parameter in queries.clone() {
            let name = parameter["name"].as_str().unwrap();
            let form = book.form(&parameter["schema"]);
            let mut wrong: Vec<String> = Vec::new();
            match form["type"].as_str() {
                Some("integer") => {
                    wrong.extend(["x", "1.5", "99999999999999999999", ""].map(str::to_owned));
                    let bounds = [("minimum", -1), ("maximum", 1)];
                    wrong.extend(
                        bounds.iter().filter_map(|(key, by)| Some((form[*key].as_i64()? + by).to_string())),
                    );
                }
                Some("boolean") => wrong.push("x".to_owned()),
                _ if form.get("enum").is_some()
                    || form.get("pattern").is_some()
                    || form["format"] == "ip-prefix" =>
                {
                    wrong.push("%01".to_owned());
                }
                _ => {}
            }
            if let Some(most) = form["maxLength"].as_u64() {
                wrong.push("x".repeat(usize::try_from(most).unwrap() * 5));
            }
            let others: String = queries
                .clone()
                .filter(|other| other["required"] == true && other["name"] != name)
                .map(|other| {
                    let other_name = other["name"].as_str().unwrap();
                    let right = book.right(other_name, book.form(&other["schema"]));
                    format!("&{other_name}={}", right.as_str().unwrap_or("1"))
                })
                .collect();
            for wrong in wrong {
                let (status, said) =
                    call(&world, &verb, &format!("{to}?{name}={wrong}{others}"), &admin, None).await;
                let short: String = wrong.chars().take(40).collect();
                amiss.extend(told(&format!("{verb} {path} ?{name}={short}"), name, status, &said));
                tried += 1;
            }
        }
        if verb == "GET" && queries.clone().next().is_some() {
            let (status, said) = call(&world, &verb, &format!("{to}?nosuch=1"), &admin, None).await;
            amiss.extend(told(&format!("{verb} {path} ?nosuch=1"), "nosuch", status, &said));
        }
    }
    assert!(amiss.is_empty(), "{} of {tried}:\n{}", amiss.len(), amiss.join("\n"));
    assert!(tried > 60, "{tried}");
}
